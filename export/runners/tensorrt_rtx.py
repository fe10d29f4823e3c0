"""TensorRT for RTX: as TensorRT, for RTX cards; its plans build in seconds."""

from __future__ import annotations

from pathlib import Path

from export.runners import Runner, tensorrt


def load(path: Path, *, device: str = "cuda", threads: int | None = None) -> Runner:
    """Make the engine of an ONNX graph. See `export.runners.load`."""
    return tensorrt.load(path, device=device, threads=threads, package="tensorrt_rtx")
