"""Transparency beside restoration: colours to restore where nothing shows, and an alpha channel that grows along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def fill_transparent(pixels: Array, alpha: Array) -> Array:
    """Give fully transparent pixels the mean colour of visible ones nearby; all others stay as they are.

    Push-pull over a pyramid (Gortler et al. 1996): each level averages 2 x 2 pixels by their alpha, and holes take the
    colour of the next coarser level. Shapes (H, W, C) and (H, W); without any visible pixel nothing changes.
    """
    holes = alpha <= 0
    if not holes.any() or holes.all():
        return pixels
    return np.where(holes[..., None], _pull(pixels, alpha), pixels)


def _pull(colour: Array, weight: Array) -> Array:
    """Colours without holes: where weight is 0, those of the next coarser level."""
    if (weight > 0).all() or colour.shape[:2] == (1, 1):
        return colour
    coarse_weight = _sum_of_quads(weight[..., None])
    coarse_colour = _sum_of_quads(colour * weight[..., None])
    np.divide(coarse_colour, coarse_weight, out=coarse_colour, where=coarse_weight > 0)
    filled = _pull(coarse_colour, np.minimum(coarse_weight[..., 0], 1))
    height, width = weight.shape
    nearest = filled.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
    return np.where(weight[..., None] > 0, colour, nearest)


def _sum_of_quads(values: Array) -> Array:
    """(H, W, C) -> (ceil(H/2), ceil(W/2), C); what is missing at an odd side counts 0."""
    height, width, channels = values.shape
    even = np.zeros((height + height % 2, width + width % 2, channels), dtype=np.float32)
    even[:height, :width] = values
    return even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]


def enlarge(alpha: Array, scale: int) -> Array:
    """Alpha (H, W) -> (scale * H, scale * W) by linear interpolation between pixel centres; 0..1 stays 0..1."""
    if scale == 1:
        return alpha
    rows = _interpolate(alpha, scale)
    return _interpolate(rows.T, scale).T


def _interpolate(values: Array, scale: int) -> Array:
    """Along the first axis."""
    size = len(values)
    position = ((np.arange(size * scale) + 0.5) / scale - 0.5).clip(0, size - 1)
    low = np.floor(position).astype(np.intp)
    high = np.minimum(low + 1, size - 1)
    share = (position - low).astype(np.float32)[:, None]
    mixed: Array = values[low] + (values[high] - values[low]) * share
    return mixed
