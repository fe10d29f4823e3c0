"""Cells that overlap by half and fade into one another: where they lie, and what each counts for.

Attention inside cells that lie side by side shows where each made up its own mind. Cells that begin at every half of
one, with weights that vanish at a cell's borders, hide that. Each is computed for itself, and needs no halo.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from imaging.tiling import Axis


def cut(extent: int, cell: int) -> Axis:
    """Cells along a side of `extent`, which half a cell divides; each one's reach is what no later cell adds to."""
    origins = tuple(range(0, extent - cell // 2, cell // 2))
    return Axis(extent, extent, cell, origins, origins[1:], 0)


@cache
def weight(side: int, first: bool, last: bool) -> NDArray[np.float64]:
    """Share of a cell in each of its `side` pixels of a map, along one axis, by the distance to its middle.

    With those of its neighbours it adds up to one; of the first and the last cell, it is one out to the map's border.
    """
    rise = (np.arange(side // 2) + 0.5) / (side // 2)
    ones = np.ones(side // 2)
    return np.concatenate([ones if first else rise, ones if last else rise[::-1]])
