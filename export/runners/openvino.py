"""OpenVINO on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from export.runners import BackendError, Runner
from imaging.errors import OutOfMemory


def load(path: Path, *, device: str = "cpu", threads: int | None = None) -> Runner:
    """Compile the graph for a batch of one; a batch is run tile by tile. See `export.runners.load`.

    A fixed shape is what OpenVINO is fast with, and a tile fills the cores by itself.
    """
    if device != "cpu":
        raise BackendError(f"the openvino backend runs on cpu, not on {device!r}")
    core = ov.Core()
    model = core.read_model(path)
    shape = model.input(0).partial_shape
    shape[0] = 1
    model.reshape(shape)
    # Said explicitly: on CPUs that have AMX, OpenVINO's own default is bfloat16, whatever the graph's types.
    config = {"INFERENCE_PRECISION_HINT": _precision(model), "PERFORMANCE_HINT": "LATENCY"}
    if threads is not None:
        config["INFERENCE_NUM_THREADS"] = str(threads)
    compiled = core.compile_model(model, "CPU", config)
    request, shape_of_one = compiled.create_infer_request(), tuple(compiled.output(0).shape)[1:]

    def run(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            restored = np.empty((len(tiles), *shape_of_one), dtype=np.float32)
            for tile, answer in zip(tiles, restored, strict=True):
                request.infer({0: np.ascontiguousarray(tile[None])})
                answer[:] = request.get_output_tensor(0).data[0]
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, MemoryError) or "alloc" in str(error):
                raise OutOfMemory(str(error)) from error
            raise
        return restored

    return run


def _precision(model: ov.Model) -> str:
    """bfloat16 where the graph itself computes in it."""
    narrow = any(out.get_element_type() == ov.Type.bf16 for node in model.get_ops() for out in node.outputs())
    return "bf16" if narrow else "f32"
