"""How the answers for a row of tiles become rows of a map: cut where the plan says so, or faded into one another."""

from __future__ import annotations

from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from imaging import cells
from imaging.stages import Stage
from imaging.strip import Budget, Strip
from imaging.tiling import Plan

Array = NDArray[np.float32]


class Joint(Protocol):
    """Joins the tiles of one stage, row of tiles by row, each from the left."""

    def room(self, row: int, answers: Array) -> Array:
        """For all that a row of tiles adds to, (h, W, C); `answers` (N, h', w', C) are some of that row's."""
        ...

    def put(self, rows: Array, answer: Array, row: int, column: int) -> None:
        """Put a tile's answer (h', w', C) where it belongs in those rows."""
        ...

    def complete(self, rows: Array, row: int) -> Array:
        """The rows of the map that no further row of tiles adds to, once all of this one's answers are in."""
        ...

    def close(self) -> None:
        """Let go of whatever waits."""
        ...


def joint(stage: Stage, plan: Plan, budget: Budget) -> Joint:
    """What joins a stage's tiles; `budget` holds what waits from one row of tiles to the next."""
    return Fading(stage, plan, budget) if stage.cell else Cutting(stage, plan)


class Cutting:
    """Every tile answers for its own core."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self._measure, self._plan = stage.measure, plan

    def room(self, row: int, answers: Array) -> Array:
        """Rows of which each value will be set."""
        first, last = map(self._measure, self._plan.rows.reach(row))
        width = self._measure(self._plan.columns.extent)
        return np.empty((last - first, width, answers.shape[3]), dtype=answers.dtype)

    def put(self, rows: Array, answer: Array, row: int, column: int) -> None:
        """Take the core out of the answer."""
        (y, first, last), (x, left, right) = (
            map(self._measure, (axis.origins[index], *axis.reach(index)))
            for axis, index in ((self._plan.rows, row), (self._plan.columns, column))
        )
        rows[:, left:right] = answer[first - y : last - y, left - x : right - x]

    def complete(self, rows: Array, row: int) -> Array:
        """All of them."""
        return rows

    def close(self) -> None:
        """Nothing waits."""


class Fading:
    """Tiles are cells that overlap by half (`imaging.cells`): what one row owes to the next waits for that."""

    def __init__(self, stage: Stage, plan: Plan, budget: Budget) -> None:
        self._measure, self._plan = stage.measure, plan
        self._waiting = Strip(budget)

    def room(self, row: int, answers: Array) -> Array:
        """Rows of zeros, to be added to."""
        _, height, _, channels = answers.shape
        return np.zeros((height, self._measure(self._plan.columns.extent), channels), dtype=answers.dtype)

    def put(self, rows: Array, answer: Array, row: int, column: int) -> None:
        """Add the answer by its weights."""
        top, bottom, left, right = (
            index == end
            for axis, index in ((self._plan.rows, row), (self._plan.columns, column))
            for end in (0, len(axis.cuts))
        )
        x, (height, width) = self._measure(self._plan.columns.origins[column]), answer.shape[:2]
        rows[:, x : x + width] += answer * _share((height, width), (top, bottom, left, right), answer.dtype)

    def complete(self, rows: Array, row: int) -> Array:
        """Their upper half, with what waited for it; the lower half waits in turn, but for the last."""
        half = len(rows) // 2
        if self._waiting.stop:
            (above,) = self._waiting.tiles(1, half, rows.shape[1])
            self._waiting.read(above, self._waiting.stop - half, 0)
            self.close()
            rows[:half] += above
        if row == len(self._plan.rows.cuts):
            return rows
        self._waiting.append(rows[half:].copy())
        return rows[:half].copy()  # a part of `rows` would keep all of them in memory

    def close(self) -> None:
        """Let go of the lower half of the last row."""
        self._waiting.release(self._waiting.stop)


@cache
def _share(sides: tuple[int, int], ends: tuple[bool, bool, bool, bool], dtype: np.dtype[np.floating]) -> Array:
    """Of a cell, in each of its pixels (h, w, 1); `ends`: whether it is the first and the last, down and across."""
    down, across = cells.weight(sides[0], *ends[:2]), cells.weight(sides[1], *ends[2:])
    share: Array = np.outer(down, across)[..., None].astype(dtype)
    return share
