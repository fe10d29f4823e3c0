"""CUDA's own runtime: what its calls answer, and which GPU is there."""

from __future__ import annotations

from typing import Any

from cuda.bindings import runtime as cuda

from export.runners import BackendError
from imaging.errors import DeviceLost, OutOfMemory


def checked(answer: tuple[Any, ...]) -> Any:
    """The value of a CUDA call. Raises OutOfMemory, or DeviceLost with CUDA's own name for what went wrong.

    Most other failures leave CUDA's context unusable, and ours all come from calls that are right.
    """
    error, *values = answer
    if error == cuda.cudaError_t.cudaErrorMemoryAllocation:
        raise OutOfMemory("the GPU's memory is full")
    if error != cuda.cudaError_t.cudaSuccess:
        raise DeviceLost(f"CUDA: {error.name}")
    return values[0] if values else None


def described(index: int) -> str:
    """Name, compute capability and driver of a GPU. Raises BackendError where there is none."""
    error, properties = cuda.cudaGetDeviceProperties(index)
    if error != cuda.cudaError_t.cudaSuccess:
        raise BackendError(f"there is no GPU {index} here: {error.name}")
    driver = checked(cuda.cudaDriverGetVersion())
    return f"{properties.name.decode()} sm{properties.major}{properties.minor} driver {driver}"
