"""The least that a tile could take: its network's multiplications alone, at the rate of a device's bare arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.engine_cost import timed
from benchmarks.engine_runtimes import network_of
from export.manifest import Manifest, Precision

# Images, their channels, and the side of square matrices: enough to keep the device busy, and no more.
_SIZES: Final = {"cpu": (1, 64, 1024), "cuda": (16, 256, 8192)}
_SIDE: Final = 128  # of an image
_RUNS: Final = 5


def macs(manifest: Manifest, tile: int) -> int:
    """Multiply-adds of one tile."""
    from models.count import count

    return count(network_of(manifest), tile).macs


def rate(precision: Precision, device: str, threads: int) -> float:
    """Multiply-adds a second of a bare 3x3 convolution or a bare matrix product, whichever is faster.

    In this precision, or in float32 where that is faster: so computes whoever has no such arithmetic, which on the CPU
    is everybody for float16. There it is one thread's rate, by CPU time, times their number; a GPU's is by the clock.
    """
    import torch
    from torch.nn import functional as F

    from export.precision import DTYPES

    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False  # as every runtime here has it
    images, channels, side = _SIZES[device]
    best = 0.0
    for dtype in {torch.float32, DTYPES["fp32" if device == "cpu" and precision == "fp16" else precision]}:
        x = torch.randn(images, channels, _SIDE, _SIDE, device=device).to(dtype)
        kernel = torch.randn(channels, channels, 3, 3, device=device).to(dtype)
        a, b = torch.randn(2, side, side, device=device).to(dtype)
        with torch.inference_mode():
            convolved = _seconds(lambda x=x, kernel=kernel: F.conv2d(x, kernel, padding=1), device, threads)
            multiplied = _seconds(lambda a=a, b=b: a @ b, device, threads)
        best = max(best, images * channels**2 * 9 * _SIDE**2 / convolved, side**3 / multiplied)
    return best


def _seconds(call: Callable[[], object], device: str, threads: int) -> float:
    """Of the quickest of several calls."""
    import torch

    def ended() -> None:
        call()
        if device != "cpu":
            torch.cuda.synchronize()

    wall, cpu = (min(times) for times in zip(*(timed(ended) for _ in range(_RUNS)), strict=True))
    return (cpu / threads if device == "cpu" else wall) / 1e3
