"""Progress on a terminal: all pictures, and the tiles of the one at hand, each with its rate and the time left."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm


class Bars:
    """Bars on standard error, where that is a terminal; nothing elsewhere. One picture has no bar for all.

    Args:
        pictures: how many there are.
    """

    def __init__(self, pictures: int) -> None:
        options: dict[str, Any] = {"disable": None, "dynamic_ncols": True}  # None: off where there is no terminal
        self._all = (
            tqdm(total=pictures, unit="picture", desc="pictures", position=0, **options) if pictures > 1 else None
        )
        self._tiles = tqdm(total=0, unit="tile", leave=pictures == 1, position=int(pictures > 1), **options)

    def begin(self, name: str) -> None:
        """Start with a picture."""
        self._tiles.reset(total=0)
        self._tiles.set_description(name)

    def advance(self, done: int, total: int) -> None:
        """Tiles of the picture at hand that are done."""
        self._tiles.total = total
        self._tiles.update(done - self._tiles.n)

    def end(self) -> None:
        """A picture has come to its end, whichever."""
        if self._all is not None:
            self._all.update()

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
