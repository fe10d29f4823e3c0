"""The rows of a map that are still needed, while it is made from the top and used up from the top."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Strip:
    """Rows `start` to `stop` of a map whose rows all have one shape; taken in at the bottom, let go at the top.

    Attributes:
        start: first row that is held.
        stop: one past the last row that has been taken in.
    """

    def __init__(self) -> None:
        self.start = self.stop = 0
        self._blocks: deque[tuple[int, Array]] = deque()  # row number of each block's first row

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(block.nbytes for _, block in self._blocks)

    def tiles(self, count: int, side: int) -> Array:
        """Room for `count` tiles of this map, (count, side, side, C); at least one row has to be held."""
        _, block = self._blocks[0]
        return np.empty((count, side, side, block.shape[2]), dtype=block.dtype)

    def append(self, rows: Array) -> None:
        """Take in the next rows, (rows, W, C); they are kept, not copied."""
        self._blocks.append((self.stop, rows))
        self.stop += len(rows)

    def release(self, before: int) -> None:
        """Let go of the rows above `before`, block by block."""
        while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) <= before:
            self._blocks.popleft()
        self.start = max(self.start, min(before, self.stop))

    def read(self, target: Array, top: int, left: int) -> None:
        """Fill `target` (h, w, C) from row `top`, column `left` on; beyond the map, its edge pixels are repeated.

        The rows have to be held: `start` <= row < `stop` for every one that exists.
        """
        height = len(target)
        for first, block in self._blocks:
            begin, end = max(top, first), min(top + height, first + len(block))
            if begin < end:
                _columns(target[begin - top : end - top], block[begin - first : end - first], left)
        if top < 0:
            target[:-top] = target[-top]
        if top + height > self.stop:
            target[self.stop - top :] = target[self.stop - top - 1]


def _columns(target: Array, rows: Array, left: int) -> None:
    width, available = target.shape[1], rows.shape[1]
    if left >= 0 and left + width <= available:
        target[:] = rows[:, left : left + width]
    else:
        target[:] = rows[:, np.arange(left, left + width).clip(0, available - 1)]
