"""Progress on a terminal: all pictures, and the tiles of those at hand, each with its rate and the time left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm


class Bars:
    """Bars on standard error, where that is a terminal; nothing elsewhere. One picture has no bar for all.

    Args:
        pictures: how many there are.
    """

    def __init__(self, pictures: int) -> None:
        self._names: list[str] = []  # of the pictures under way
        options: dict[str, Any] = {"disable": None, "dynamic_ncols": True}  # None: off where there is no terminal
        self._all = (
            tqdm(total=pictures, unit="picture", desc="pictures", position=0, **options) if pictures > 1 else None
        )
        self._tiles = tqdm(total=0, unit="tile", leave=pictures == 1, position=int(pictures > 1), **options)

    def begin(self, name: str) -> Callable[[int, int], None]:
        """Start with a picture, be there others under way or none; returns what takes its tiles: done, and in all."""
        if not self._names:
            self._tiles.reset(total=0)
        self._names.append(name)
        self._describe()
        before = [0, 0]

        def advance(done: int, total: int) -> None:
            self._tiles.total = (self._tiles.total or 0) + total - before[1]
            self._tiles.update(done - before[0])
            before[:] = done, total

        return advance

    def end(self, name: str) -> None:
        """A picture has come to its end, whichever."""
        self._names.remove(name)
        self._describe()
        if self._all is not None:
            self._all.update()

    def _describe(self) -> None:
        if self._names:
            others = len(self._names) - 1
            self._tiles.set_description(f"{self._names[0]} and {others} more" if others else self._names[0])

    @staticmethod
    def say(line: str) -> None:
        """Print a line above the bars."""
        tqdm.write(line, file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tiles.close()
        if self._all is not None:
            self._all.close()
