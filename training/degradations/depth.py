"""Smooth random fields and made-up scene depth: what varies over a picture where no depth was measured."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.degradations.draws import Draws


def smooth_field(draw: Draws, batch: int, height: int, width: int, *, cells: int) -> Tensor:
    """Draw (B, 1, height, width) in 0..1: a grid of `cells` x `cells` random values, bicubically interpolated."""
    grid = draw.unit(batch, 1, cells, cells)
    return F.interpolate(grid, size=(height, width), mode="bicubic", align_corners=True).clamp(0.0, 1.0)


def scene_depth(draw: Draws, batch: int, height: int, width: int) -> Tensor:
    """Draw a depth map (B, 1, height, width), 0 the nearest and 1 the farthest point of each picture.

    A plane tilted any way, most often away upwards as ground is; hills (a smooth field); and objects before it, cut out
    of another field by a steep threshold.
    """
    down = torch.linspace(0.0, 1.0, height, device=draw.device)[:, None]
    right = torch.linspace(-0.5, 0.5, width, device=draw.device)
    plane = draw.uniform((-1.5, 0.5), batch, 1, 1, 1) * down + draw.uniform((-0.7, 0.7), batch, 1, 1, 1) * right
    hills = draw.uniform((0.1, 0.8), batch, 1, 1, 1) * smooth_field(draw, batch, height, width, cells=4)
    outline = smooth_field(draw, batch, height, width, cells=7) - draw.uniform((0.5, 0.9), batch, 1, 1, 1)
    objects = draw.uniform((0.0, 0.6), batch, 1, 1, 1) * torch.sigmoid(40.0 * outline)
    depth = plane + hills - objects
    low, high = depth.amin(dim=(2, 3), keepdim=True), depth.amax(dim=(2, 3), keepdim=True)
    return (depth - low) / (high - low).clamp_min(1e-6)
