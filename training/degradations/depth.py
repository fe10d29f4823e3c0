"""Smooth random fields and made-up scene depth: what varies over a picture where no depth was measured."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.degradations.colour import luma
from training.degradations.draws import Draws
from training.degradations.resize import resize_matrix


def smooth_field(draw: Draws, batch: int, height: int, width: int, *, cells: int) -> Tensor:
    """Draw (B, 1, height, width) in 0..1: a grid of `cells` x `cells` random values, bicubically interpolated."""
    grid = draw.unit(batch, 1, cells, cells)
    down = resize_matrix(cells, height / cells).to(grid)
    across = resize_matrix(cells, width / cells).to(grid)
    return (down @ grid @ across.T).clamp(0.0, 1.0)


def scene_depth(draw: Draws, pictures: Tensor) -> Tensor:
    """Draw a depth map (B, 1, H, W) for pictures (B, 3, H, W): 0 the nearest and 1 the farthest point of each.

    A plane tilted any way, most often away upwards as ground is; hills (a smooth field); and objects before it, cut out
    of another field by a soft threshold. Half of what shapes the objects is the picture's own luma, brighter nearer or
    farther at random, so that many edges of depth are edges of the picture, as they are in a real scene.
    """
    batch, _, height, width = pictures.shape
    down = torch.linspace(0.0, 1.0, height, device=draw.device)[:, None]
    right = torch.linspace(-0.5, 0.5, width, device=draw.device)
    plane = draw.uniform((-1.5, 0.5), batch, 1, 1, 1) * down + draw.uniform((-0.7, 0.7), batch, 1, 1, 1) * right
    hills = draw.uniform((0.1, 0.8), batch, 1, 1, 1) * smooth_field(draw, batch, height, width, cells=4)
    blocks = F.avg_pool2d(luma(pictures), 4, ceil_mode=True, count_include_pad=False)
    light = F.interpolate(blocks, size=(height, width), mode="bilinear", align_corners=False)
    outline = smooth_field(draw, batch, height, width, cells=7) - 0.6
    outline = outline + draw.uniform((-1.5, 1.5), batch, 1, 1, 1) * (light - light.mean(dim=(2, 3), keepdim=True))
    objects = draw.uniform((0.0, 0.5), batch, 1, 1, 1) * torch.sigmoid(16.0 * outline)
    depth = plane + hills - objects
    low, high = depth.amin(dim=(2, 3), keepdim=True), depth.amax(dim=(2, 3), keepdim=True)
    return (depth - low) / (high - low).clamp_min(1e-6)
