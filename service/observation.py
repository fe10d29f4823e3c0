"""Telling others how long each call of a network takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class BatchObserver(Protocol):
    """Is told of every call of the network."""

    def __call__(self, tiles: int, seconds: float | None) -> object:
        """`tiles` took `seconds`; None says that they did not fit in memory."""
        ...


class StageObserver(Protocol):
    """Is told of every call of a network's segment."""

    def __call__(self, units: float, seconds: float | None) -> object:
        """So many tile units took `seconds`; None says that they did not fit in memory."""
        ...


def observed(run: Callable[..., Array], tell: BatchObserver) -> Callable[..., Array]:
    """`run`, and after each call `tell`; the first dimension of what it takes is the tiles."""

    def timed(*tiles: Array) -> Array:
        start = time.perf_counter()
        try:
            answers = run(*tiles)
        except MemoryError:
            tell(len(tiles[0]), None)
            raise
        tell(len(tiles[0]), time.perf_counter() - start)
        return answers

    return timed
