"""Transparency beside restoration: colours to restore where nothing shows, and an alpha channel that grows along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_ROWS_AT_ONCE: Final = 64


def fill_transparent(pixels: Array, alpha: Array) -> Array:
    """Give fully transparent pixels the mean colour of visible ones nearby; all others stay as they are.

    Push-pull over a pyramid (Gortler et al. 1996): each level averages 2 x 2 pixels by their alpha, and holes take the
    colour of the next coarser level. Shapes (H, W, C) and (H, W); without any visible pixel nothing changes.
    Takes about 17 bytes a pixel of three channels besides what it is given.
    """
    if not alpha.any():
        return pixels
    return _pull(pixels, alpha)


def _pull(colour: Array, weight: Array) -> Array:
    """Colours without holes: where weight is 0, those of the next coarser level. Some weight is not 0."""
    if weight.min() > 0:
        return colour
    coarse, coarse_weight = _halved(colour, weight)
    coarse = _pull(coarse, coarse_weight)
    filled = colour.copy()
    for rows in _bands(len(colour)):
        nearby = coarse[rows.start // 2 : (rows.stop + 1) // 2].repeat(2, axis=0).repeat(2, axis=1)
        hole = (weight[rows] <= 0)[..., None]
        np.copyto(filled[rows], nearby[: len(hole), : weight.shape[1]], where=hole)
    return filled


def _halved(colour: Array, weight: Array) -> tuple[Array, Array]:
    """The mean colours of 2 x 2 pixels by their weight, and these weights' sum, at most 1."""
    height, width, channels = colour.shape
    coarse = np.empty(((height + 1) // 2, (width + 1) // 2, channels), dtype=np.float32)
    coarse_weight = np.empty(coarse.shape[:2], dtype=np.float32)
    for rows in _bands(height):
        half = slice(rows.start // 2, (rows.stop + 1) // 2)
        share = weight[rows, :, None]
        total = _sum_of_quads(share)
        np.divide(_sum_of_quads(colour[rows] * share), total, out=coarse[half], where=total > 0)
        coarse[half][total[..., 0] <= 0] = 0
        np.minimum(total[..., 0], 1, out=coarse_weight[half])
    return coarse, coarse_weight


def _bands(height: int) -> Iterator[slice]:
    """All rows, an even number at once but for the last, so that what is made of them stays small."""
    for top in range(0, height, _ROWS_AT_ONCE):
        yield slice(top, min(top + _ROWS_AT_ONCE, height))


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
