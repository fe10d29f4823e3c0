"""The rows of a map that are still needed, while it is made from the top and used up from the top.

What does not fit a budget of memory lies in temporary files, and is read from there tile by tile.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Budget:
    """How much memory all strips of one picture may hold together.

    Attributes:
        limit_bytes: what is beyond it goes to files.
        folder: where those lie; by default the system's own.
        held_bytes: in memory now.
    """

    def __init__(self, limit_bytes: int, folder: Path | None = None) -> None:
        self.limit_bytes, self.folder = limit_bytes, folder
        self.held_bytes = 0

    def store(self, rows: Array) -> _Block:
        """Keep (rows, W, C), in memory or not; the array is the block's from now on."""
        if self.held_bytes + rows.nbytes > self.limit_bytes:
            return _OnDisk(rows, self.folder)
        return _InMemory(rows, self)


class Strip:
    """Rows of a map that all have one shape; taken in at the bottom, let go at the top.

    Attributes:
        stop: one past the last row that has been taken in.
    """

    def __init__(self, budget: Budget) -> None:
        self.stop = 0
        self._budget = budget
        self._blocks: deque[tuple[int, _Block]] = deque()  # row number of each block's first row
        self._channels = 0
        self._dtype: np.dtype[Any] = np.dtype(np.float32)

    def tiles(self, count: int, height: int, width: int) -> Array:
        """Room for `count` tiles of this map, (count, height, width, C); some rows have been taken in."""
        return np.empty((count, height, width, self._channels), dtype=self._dtype)

    def append(self, rows: Array) -> None:
        """Take in the next rows, (rows, W, C)."""
        self._channels = rows.shape[2]
        self._dtype = rows.dtype
        self._blocks.append((self.stop, self._budget.store(rows)))
        self.stop += len(rows)

    def release(self, before: int) -> None:
        """Let go of the rows above `before`, block by block."""
        while self._blocks and self._blocks[0][0] + self._blocks[0][1].rows <= before:
            self._blocks.popleft()[1].close()

    def read(self, target: Array, top: int, left: int) -> None:
        """Fill `target` (h, w, C) from row `top`, column `left` on; none of its rows may have been let go."""
        height = len(target)
        for first, block in self._blocks:
            upper, lower = max(top, first), min(top + height, first + block.rows)
            if upper < lower:
                block.read(target[upper - top : lower - top], upper - first, left)


class _Block(Protocol):
    """Some rows of a map."""

    rows: int

    def read(self, target: Array, top: int, left: int) -> None:
        """Fill `target` (h, w, C) from row `top`, column `left` of the block on."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class _InMemory:
    def __init__(self, array: Array, budget: Budget) -> None:
        self.rows = len(array)
        self._array, self._budget = array, budget
        budget.held_bytes += array.nbytes

    def read(self, target: Array, top: int, left: int) -> None:
        height, width = target.shape[:2]
        target[:] = self._array[top : top + height, left : left + width]

    def close(self) -> None:
        self._budget.held_bytes -= self._array.nbytes


class _OnDisk:
    """A file without a name: it goes when it is closed, and with the process at the latest."""

    def __init__(self, array: Array, folder: Path | None) -> None:
        self.rows, self._columns, _ = array.shape
        self._pixel_bytes = array[0, 0].nbytes
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - it lives as long as the block
        rest = np.ascontiguousarray(array).data.cast("B")
        while rest:  # a call writes 2 GiB at most
            rest = rest[self._file.write(rest) :]

    def read(self, target: Array, top: int, left: int) -> None:
        height, width = target.shape[:2]
        row = np.empty((width, *target.shape[2:]), dtype=target.dtype)
        buffer = row.data.cast("B")
        for line in range(height):
            place = ((top + line) * self._columns + left) * self._pixel_bytes
            if os.preadv(self._file.fileno(), [buffer], place) != len(buffer):
                raise OSError("a temporary file of a feature map is cut short; is the disk full?")
            target[line] = row

    def close(self) -> None:
        self._file.close()
