"""Light and colour of (B, 3, H, W) pictures: sRGB values to linear light and back, luma, the steps of an 8-bit file."""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in luma (ITU-R BT.601, JFIF)."""


def to_linear(srgb: Tensor) -> Tensor:
    """Linear light 0..1 of sRGB values 0..1 (IEC 61966-2-1)."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: Tensor) -> Tensor:
    """SRGB values 0..1 of linear light; light outside 0..1 is clipped, as a sensor and a file do."""
    light = linear.clamp(0.0, 1.0)
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def luma(pictures: Tensor) -> Tensor:
    """Grey picture (B, 1, H, W) of a colour picture (B, 3, H, W): BT.601 luma of the sRGB values."""
    red, green, blue = pictures[:, :1], pictures[:, 1:2], pictures[:, 2:]
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def as_file(pictures: Tensor) -> Tensor:
    """Clip to 0..1 and round to the 256 steps of an 8-bit file."""
    return (pictures.clamp(0.0, 1.0) * 255.0).round() / 255.0
