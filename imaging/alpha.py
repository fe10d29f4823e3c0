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
    if not alpha.any():
        return pixels
    return _pull(pixels, alpha)


def _pull(colour: Array, weight: Array) -> Array:
    """Colours without holes: where weight is 0, those of the next coarser level. Some weight is not 0."""
    rows, columns = np.nonzero(weight <= 0)
    if rows.size == 0:
        return colour
    coarse_weight = _sum_of_quads(weight[..., None])
    coarse = _sum_of_quads(colour * weight[..., None])
    np.divide(coarse, coarse_weight, out=coarse, where=coarse_weight > 0)
    filled = colour.copy()
    filled[rows, columns] = _pull(coarse, np.minimum(coarse_weight[..., 0], 1))[rows // 2, columns // 2]
    return filled


def _sum_of_quads(values: Array) -> Array:
    """(H, W, C) -> (ceil(H/2), ceil(W/2), C); what is missing at an odd side counts 0."""
    height, width, channels = values.shape
    total = np.zeros(((height + 1) // 2, (width + 1) // 2, channels), dtype=np.float32)
    for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
        part = values[row::2, column::2]
        total[: part.shape[0], : part.shape[1]] += part
    return total


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
