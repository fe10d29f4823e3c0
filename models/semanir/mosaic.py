"""From a Bayer mosaic to three colours by one convolution: the skip around a demosaicking network.

A mosaic of RGGB cells is packed by `pixel_unshuffle` into a map of half its size with the planes R, G (right of it),
G (below it) and B. On it, interpolating every colour at every pixel is a 3x3 convolution to 3 x 2 x 2 channels.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from models.layers.resampling import Conv2d

RGGB = ((0, 1), (1, 2))  # the colour of each pixel of a cell
# How far a pixel of its own colour counts at an offset (|dy|, |dx|); green has twice the samples of red and blue.
GREEN = {(0, 0): 1.0, (0, 1): 0.25, (1, 0): 0.25}
RED_BLUE = {(0, 0): 1.0, (0, 1): 0.5, (1, 0): 0.5, (1, 1): 0.25}


class LinearDemosaic(Conv2d):
    """Packed mosaic (B, H/2, W/2, 4) to 12 channels for a pixel shuffle by 2; starts as bilinear and is trained on."""

    def __init__(self) -> None:
        super().__init__(4, 12, 3, padding=1, padding_mode="replicate", bias=False)
        with torch.no_grad():
            self.weight.copy_(bilinear_kernel())


def bilinear_kernel() -> Tensor:
    """Weights (12, 4, 3, 3) of bilinear demosaicking; output channels are ordered (colour, row, column)."""
    kernel = torch.zeros(3, 2, 2, 2, 2, 3, 3)
    for row, column, dy, dx in itertools.product((0, 1), (0, 1), (-1, 0, 1), (-1, 0, 1)):
        y, x = row + dy, column + dx
        colour = RGGB[y % 2][x % 2]
        near = GREEN if colour == 1 else RED_BLUE
        kernel[colour, row, column, y % 2, x % 2, y // 2 + 1, x // 2 + 1] = near.get((abs(dy), abs(dx)), 0.0)
    return kernel.reshape(12, 4, 3, 3)
