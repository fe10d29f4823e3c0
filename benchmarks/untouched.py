"""What one would have without a network, at the size of what one wants: the measure of what a network adds."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from training.degradations.mosaic import bayer_planes
from training.degradations.resize import imresize
from training.picture_files import Array


def untouched(degraded: Array, target: Array) -> tuple[str, Array]:
    """The degraded picture (H, W, C) in the target's size and channels, 0..1, and in a word what was done to it.

    Nothing, where both are alike already; a smaller one is enlarged bicubically, the gaps of an RGGB mosaic are filled
    bilinearly.
    """
    picture = torch.from_numpy(degraded).permute(2, 0, 1)
    if degraded.shape[0] < target.shape[0]:
        return "enlarged", _array(imresize(picture, target.shape[0] // degraded.shape[0]))
    if degraded.shape[2] < target.shape[2]:
        return "interpolated", _array(_filled(picture))
    return "as it came", degraded


def _filled(mosaic: torch.Tensor) -> torch.Tensor:
    """(1, H, W) to (3, H, W): each colour the mean of its nearest sites, weighed by their distance."""
    hat = torch.tensor([0.5, 1.0, 0.5])
    kernel = torch.outer(hat, hat).expand(3, 1, 3, 3).to(mosaic)
    sites = bayer_planes(*mosaic.shape[-2:]).to(mosaic)
    values, known = (F.conv2d(planes[None], kernel, padding=1, groups=3)[0] for planes in (mosaic * sites, sites))
    return torch.where(sites > 0, mosaic, values / known)


def _array(picture: torch.Tensor) -> Array:
    array: Array = picture.clamp(0, 1).permute(1, 2, 0).float().numpy()
    return array
