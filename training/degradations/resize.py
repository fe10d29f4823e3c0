"""Bicubic resizing as MATLAB's imresize does it: what super-resolution is trained and measured on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from training.degradations.colour import as_file
from training.degradations.ranges import DegradationError


@dataclass(frozen=True)
class Downscale:
    """Antialiased bicubic reduction by a whole factor; nothing is drawn.

    Attributes:
        scale: 2, 3 or 4: each side shrinks by this factor.
        rounded: keep the small picture in 8-bit steps, as the benchmarks' files are; else every value is kept.
    """

    scale: int = 2
    rounded: bool = True

    def __post_init__(self) -> None:
        if self.scale not in (2, 3, 4):
            raise DegradationError(f"scale must be 2, 3 or 4, not {self.scale}")

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (small (B, 3, H / scale, W / scale), clean) of sRGB pictures (B, 3, H, W) in 0..1.

        Raises DegradationError where `scale` divides H or W not.
        """
        height, width = clean.shape[-2:]
        if height % self.scale or width % self.scale:
            raise DegradationError(f"scale {self.scale} does not divide the picture of {width}x{height}")
        small = imresize(clean, 1 / self.scale)
        return (as_file(small) if self.rounded else small), clean


def imresize(pictures: Tensor, scale: float) -> Tensor:
    """Resize (..., H, W) to (..., ceil(H scale), ceil(W scale)) with the bicubic kernel (Keys, 1981, a = -0.5).

    As MATLAB's imresize: below 1 the kernel is widened by 1 / scale (antialiasing), weights are normalised per output
    pixel, and borders are mirrored with the edge pixel repeated. Values may overshoot 0..1; they are not clipped.
    """
    height, width = pictures.shape[-2:]
    down = resize_matrix(height, scale).to(pictures)
    across = resize_matrix(width, scale).to(pictures)
    return down @ pictures @ across.T


@lru_cache(maxsize=32)
def resize_matrix(length: int, scale: float) -> Tensor:
    """Weights (ceil(length scale), length), float64, of every input pixel in every output pixel of one axis."""
    out = math.ceil(length * scale - 1e-9)
    stretch = min(scale, 1.0)
    # Pixel centres: output i sits at input coordinate (i + 0.5) / scale - 0.5.
    centres = (torch.arange(out, dtype=torch.float64) + 0.5) / scale - 0.5
    taps = math.ceil(4 / stretch) + 2
    index = (centres - 2 / stretch).floor()[:, None] + torch.arange(taps)
    weights = _keys((centres[:, None] - index) * stretch)
    weights /= weights.sum(dim=1, keepdim=True)
    folded = index.long() % (2 * length)
    return torch.zeros(out, length, dtype=torch.float64).scatter_add_(
        1, torch.minimum(folded, 2 * length - 1 - folded), weights
    )


def _keys(x: Tensor) -> Tensor:
    """Cubic convolution kernel of Keys (1981), equation 15: a = -0.5, zero beyond 2."""
    x = x.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, 0.0))
