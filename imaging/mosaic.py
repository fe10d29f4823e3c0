"""Colour filter mosaics: one network, trained on one order of the filters, takes all four.

A mosaic is a grey picture whose pixels lie each under one colour filter, in 2 x 2 blocks; its pattern names the block
row by row (Bayer, US patent 3,971,065). The four patterns are the same mosaic, begun a row or a column later.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

Pattern = Literal["rggb", "bggr", "grbg", "gbrg"]
PATTERNS: Final[tuple[Pattern, ...]] = get_args(Pattern)


def offset(pattern: str | None, native: str | None) -> tuple[int, int]:
    """Rows and columns, 0 or 1 each, by which a mosaic of `pattern` begins later than one of `native`.

    (0, 0) where either is None: pictures without a mosaic, and mosaics that are the network's own.
    """
    if pattern is None or native is None:
        return 0, 0
    red, ours = pattern.index("r"), native.index("r")
    return (red // 2 + ours // 2) % 2, (red + ours) % 2


def places(indices: NDArray[np.intp], begun: int, size: int) -> NDArray[np.intp]:
    """Which of `size` rows or columns stand at places of the mosaic that is begun so many earlier (`begun_earlier`)."""
    found: NDArray[np.intp] = np.minimum(np.abs(indices - begun), size - 1)
    return found


def begun_earlier(mosaic: Array, rows: int, columns: int) -> Array:
    """The mosaic (H, W, 1) with so many rows and columns before its first, reflected, so that each has its own filters.

    Mirrored at its first pixel, a mosaic goes on as a mosaic: the pixels on both sides of any pixel have one colour.
    """
    return np.pad(mosaic, ((rows, 0), (columns, 0), (0, 0)), mode="reflect") if rows or columns else mosaic
