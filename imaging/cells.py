"""Cells that overlap by half, and answers for them that fade into one another.

Attention inside cells that lie side by side shows where each made up its own mind. Cells that begin at every half of
one, with weights that vanish at a cell's borders, hide that. Each is computed for itself and needs no halo; what the
cells of one row still owe to the next waits until those are there.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from imaging.strip import Budget, Strip
from imaging.tiling import Axis, Plan

Array = NDArray[np.float32]


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


@cache
def _share(sides: tuple[int, int], ends: tuple[bool, bool, bool, bool], dtype: np.dtype[np.floating]) -> Array:
    share: Array = np.outer(weight(sides[0], *ends[:2]), weight(sides[1], *ends[2:]))[..., None].astype(dtype)
    return share


class Fading:
    """The answers for rows of cells on their way into a map, from the top.

    Args:
        plan: the cells, in pixels of the picture.
        budget: holds what waits between two rows of cells.
    """

    def __init__(self, plan: Plan, budget: Budget) -> None:
        self._plan = plan
        self._waiting = Strip(budget)

    def add(self, rows: Array, answer: Array, row: int, column: int) -> None:
        """Add a cell's answer (h, w, C) to all rows (h, W, C) of its row of cells."""
        (tall, wide), axes = answer.shape[:2], (self._plan.rows, self._plan.columns)
        top, bottom, left, right = (
            index == end for axis, index in zip(axes, (row, column), strict=True) for end in (0, len(axis.cuts))
        )
        start = self._plan.columns.origins[column] * wide // self._plan.columns.tile
        rows[:, start : start + wide] += answer * _share((tall, wide), (top, bottom, left, right), answer.dtype)

    def complete(self, rows: Array, row: int) -> Array:
        """Add what the row of cells above left to these; give those to which none below will add, and keep the rest."""
        if self._waiting.stop:
            above = self._waiting.tiles(1, len(rows) // 2, rows.shape[1])[0]
            self._waiting.read(above, self._waiting.stop - len(above), 0)
            self.close()
            rows[: len(above)] += above
        if row == len(self._plan.rows.cuts):
            return rows
        complete, rest = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        self._waiting.append(rest.copy())
        return complete.copy()  # a part of `rows` would keep all of them in memory

    def close(self) -> None:
        """Let go of what waits."""
        self._waiting.release(self._waiting.stop)
