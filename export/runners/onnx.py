"""ONNX Runtime, on the CPU or on CUDA."""

from __future__ import annotations

import contextlib
import functools
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.runners import BackendError, Runner, cuda_index
from imaging.errors import DeviceLost, OutOfMemory

# What ONNX Runtime's messages hold when an allocation failed; it has no error class of its own for that.
_NO_MEMORY = (
    "bad_alloc",
    "bad allocation",
    "Failed to allocate",
    "out of memory",
    "Available memory of",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)

# Numbers of CUDA's errors from 700 on are of kernels that went wrong (700: an illegal address): no call succeeds after.
_LOST = re.compile(r"CUDA failure 7\d\d\b")

_AS_REQUESTED = 1  # of ONNX Runtime's two ways for an arena to grow; the other one doubles it
_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_Provider = str | tuple[str, dict[str, Any]]


def load(path: Path, *, device: str = "cpu", threads: int | None = None) -> Runner:
    """Open the graph in a session of its own. See `export.runners.load`."""
    index = cuda_index(device, "onnx")
    providers = _providers(index)
    options = _options(threads)
    # An arena of its own would keep the largest amount that each session ever needed: 1.1 GB over the segments of one
    # network, 0.3 to 0.8 GB for a tile of 512 through each whole one. With none, a quarter of the time goes into pages
    # that the system takes back and gives again.
    _share_an_arena(_CPU, 0)
    if index is not None:
        try:
            _share_an_arena(_CUDA, index)
        except Exception as error:
            raise _broken(index) from error
    options.add_session_config_entry("session.use_env_allocators", "1")
    session = ort.InferenceSession(path, options, providers=providers)
    if session.get_providers()[0] != _name(providers[0]):
        # ONNX Runtime goes on silently on the CPU when CUDA is there but does not load.
        raise _broken(index)
    names = [one.name for one in session.get_inputs()]  # one, but for a segment that joins several maps

    def run(*maps: NDArray[np.float32]) -> NDArray[np.float32]:
        inputs = dict(zip(names, maps, strict=True))
        try:
            restored: NDArray[np.float32] = session.run(None, inputs)[0]
        except Exception as error:
            if _LOST.search(str(error)):
                raise DeviceLost(str(error)) from error
            if not any(sign in str(error) for sign in _NO_MEMORY):
                raise
            _empty_the_arenas(session, inputs, index)
            raise OutOfMemory(str(error)) from error
        return restored

    return run


@functools.cache
def _share_an_arena(provider: str, index: int) -> None:
    """Make one arena of a device for all sessions of this process."""
    memory = ort.OrtMemoryInfo(
        "Cpu" if provider == _CPU else "Cuda", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, index, ort.OrtMemType.DEFAULT
    )
    which = {} if provider == _CPU else {"device_id": str(index)}
    ort.create_and_register_allocator_v2(
        provider, memory, which, ort.OrtArenaCfg({"arena_extend_strategy": _AS_REQUESTED})
    )


def _empty_the_arenas(session: ort.InferenceSession, inputs: dict[str, NDArray[np.float32]], index: int | None) -> None:
    """Give the shared arenas' memory back to their devices, which only the end of a run does, be it a failed one."""
    options = ort.RunOptions()
    devices = "cpu:0" if index is None else f"cpu:0;gpu:{index}"
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", devices)
    with contextlib.suppress(Exception):
        session.run(None, inputs, options)


def _options(threads: int | None) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0  # 0: one for each physical core
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _providers(index: int | None) -> list[_Provider]:
    if index is None:
        return [_CPU]
    if _CUDA not in ort.get_available_providers():
        raise BackendError(f"ONNX Runtime cannot use cuda:{index}: this build has no CUDA (install unseam[gpu])")
    # TF32 would cost the parity with the float32 network. By default cuDNN's algorithms are timed for each new shape:
    # that takes long where segments take maps of any size, and another worker's timing may choose another algorithm.
    return [(_CUDA, {"device_id": index, "use_tf32": 0, "cudnn_conv_algo_search": "HEURISTIC"}), _CPU]


def _name(provider: _Provider) -> str:
    return provider if isinstance(provider, str) else provider[0]


def _broken(index: int | None) -> BackendError:
    return BackendError(
        f"ONNX Runtime found CUDA but could not start it on cuda:{index}: are driver and libraries right?"
    )
