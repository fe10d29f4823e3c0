"""Runners compute tiles. Each backend is a module of this package that imports its own runtime and no other.

onnx           ONNX Runtime on the CPU or CUDA
openvino       OpenVINO on the CPU
tensorrt       TensorRT 11 on an NVIDIA GPU
tensorrt-rtx   TensorRT for RTX on an NVIDIA RTX card
torch          the network itself, for hosts that have torch
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from export.cores import confined
from export.manifest import check_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# By name: importing a backend here would load its runtime.
MODULES: Final = {
    "onnx": "export.runners.onnx",
    "openvino": "export.runners.openvino",
    "tensorrt": "export.runners.tensorrt",
    "tensorrt-rtx": "export.runners.tensorrt_rtx",
    "torch": "export.runners.torch",
}


class BackendError(ValueError):
    """A backend is unknown, not installed, or has no such device; the message says what is."""


class Runner(Protocol):
    """Computes a batch of equal tiles."""

    def __call__(self, tiles: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Restore (N, C, T, T), values in [0, 1], to (N, C', scale * T, scale * T); any N >= 1.

        Raises imaging's OutOfMemory if the batch does not fit: fewer tiles at once may. Raises DeviceLost where no
        further call would succeed.
        """
        ...


def load(
    backend: str, path: Path, *, device: str = "cpu", threads: int | None = None, sha256: str | None = None
) -> Runner:
    """Make the runner of one model file, warm enough to call.

    Args:
        backend: a key of `MODULES`.
        path: the file the backend reads: `Manifest.graph(tile).file`, or `Manifest.weights.file` for torch.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: CPU threads for one call; by default the runtime's own choice, or as many as this process has cores.
        sha256: of the file, as its manifest has it; None opens whatever is there.

    Raises:
        BackendError: the backend is unknown, not installed, or cannot use the device.
        ManifestError: the file is not the one of this sha256, or is gone.
    """
    if backend not in MODULES:
        raise BackendError(f"unknown backend {backend!r}; there are {', '.join(MODULES)}")
    if sha256:
        check_file(path, sha256)
    try:
        module = import_module(MODULES[backend])
        runner: Runner = module.load(path, device=device, threads=threads or confined())
    except ModuleNotFoundError as error:
        raise BackendError(f"the {backend} backend needs the package {error.name}, which is not installed") from error
    except ImportError as error:  # bindings without their libraries, say
        raise BackendError(f"the {backend} backend is installed and does not load: {error}") from error
    return runner


def cuda_index(device: str, backend: str) -> int | None:
    """The number in `cuda` (0) or `cuda:N`; None for `cpu`. Raises BackendError for anything else."""
    kind, _, index = device.partition(":")
    if device == "cpu":
        return None
    if kind != "cuda" or not (index or "0").isdigit() or device.endswith(":"):
        raise BackendError(f"the {backend} backend has no device {device!r}; say cpu, cuda or cuda:N")
    return int(index or "0")
