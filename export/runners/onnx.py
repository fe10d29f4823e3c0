"""ONNX Runtime, on the CPU or on CUDA."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.runners import BackendError, Runner, cuda_index
from imaging.errors import OutOfMemory

# What ONNX Runtime's messages hold when an allocation failed; it has no error class of its own for that.
_NO_MEMORY = ("bad_alloc", "bad allocation", "Failed to allocate", "out of memory", "Available memory of")

_AS_REQUESTED = 1  # of ONNX Runtime's two ways for an arena to grow; the other one doubles it
_CUDA = "CUDAExecutionProvider"
_Provider = str | tuple[str, dict[str, Any]]


def load(path: Path, *, device: str = "cpu", threads: int | None = None) -> Runner:
    """Open the graph in a session of its own. See `export.runners.load`."""
    providers = _providers(device)
    options = _options(threads)
    # An arena of its own would keep the largest amount that each session ever needed: 1.1 GB over the segments of one
    # network, 0.3 to 0.8 GB for a tile of 512 through each whole one. With none, a quarter of the time goes into pages
    # that the system takes back and gives again.
    _share_an_arena()
    options.add_session_config_entry("session.use_env_allocators", "1")
    session = ort.InferenceSession(path, options, providers=providers)
    if session.get_providers()[0] != _name(providers[0]):
        # ONNX Runtime goes on silently on the CPU when CUDA is there but does not load.
        raise BackendError(
            f"ONNX Runtime found CUDA but could not start it on {device}: are driver and libraries right?"
        )
    names = [one.name for one in session.get_inputs()]  # one, but for a segment that joins several maps

    def run(*maps: NDArray[np.float32]) -> NDArray[np.float32]:
        inputs = dict(zip(names, maps, strict=True))
        try:
            restored: NDArray[np.float32] = session.run(None, inputs)[0]
        except Exception as error:
            if not any(sign in str(error) for sign in _NO_MEMORY):
                raise
            _empty_the_arena(session, inputs)
            raise OutOfMemory(str(error)) from error
        return restored

    return run


@functools.cache
def _share_an_arena() -> None:
    """Make one arena for all sessions of this process."""
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg({"arena_extend_strategy": _AS_REQUESTED}))


def _empty_the_arena(session: ort.InferenceSession, inputs: dict[str, NDArray[np.float32]]) -> None:
    """Give the shared arena's memory back to the system, which only the end of a run does, be it a failed one."""
    options = ort.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    with contextlib.suppress(Exception):
        session.run(None, inputs, options)


def _options(threads: int | None) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: one for each physical core
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _providers(device: str) -> list[_Provider]:
    index = cuda_index(device, "onnx")
    if index is None:
        return ["CPUExecutionProvider"]
    if _CUDA not in ort.get_available_providers():
        raise BackendError(f"ONNX Runtime cannot use {device}: this build has no CUDA (install unseam[gpu])")
    # TF32 would cost the parity with the float32 network.
    return [(_CUDA, {"device_id": index, "use_tf32": 0}), "CPUExecutionProvider"]


def _name(provider: _Provider) -> str:
    return provider if isinstance(provider, str) else provider[0]
