"""Restore many pictures; one that fails does not keep the others from being restored."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from imaging.errors import InvalidResult, PictureError, PlanError
from service.batch.progress import Bars
from service.batch.restorer import Progress, RefusedPicture, Restoration, Restorer, UnreadableFile
from service.batch.selection import Item
from service.batch.summary import Summary

# What is one picture's own trouble. Anything else would meet every other picture, too, and ends the run.
OWN_TROUBLE: Final = (
    PictureError, PlanError, InvalidResult, MemoryError, UnreadableFile, RefusedPicture, OSError,
)  # fmt: skip
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


class Run:
    """The pictures of one call of the command.

    Args:
        items: what to restore.
        summary: where it is noted what became of each.
        bars: where it is shown.
    """

    def __init__(self, items: Sequence[Item], summary: Summary, bars: Bars) -> None:
        self._items, self._summary, self._bars = items, summary, bars

    def one_by_one(self, restore: Restorer) -> None:
        """Restore every picture. A single picture's error is raised."""
        with self._timed():
            for item in self._items:
                progress = self._bars.begin(item.source.name)
                try:
                    self._done(item, restore(_housed(item), progress))
                except OWN_TROUBLE as error:
                    self._failed(item, error)

    async def together(self, restore: Callable[[Item, Progress], Awaitable[Restoration]], at_once: int) -> None:
        """The same with so many pictures under way at once; an error that ends the run cancels the others."""
        waiting = iter(self._items)

        async def work() -> None:
            for item in waiting:
                progress = self._bars.begin(item.source.name)
                try:
                    self._done(item, await restore(_housed(item), progress))
                except OWN_TROUBLE as error:
                    self._failed(item, error)

        with self._timed():
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(at_once, len(self._items))):
                        group.create_task(work())
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._summary.seconds = time.perf_counter() - start
            place = {str(item.source): n for n, item in enumerate(self._items)}
            self._summary.restored.sort(key=lambda report: place[report["input"]])

    def _done(self, item: Item, result: Restoration) -> None:
        self._summary.megapixels += result.width * result.height / 1e6
        sides = {"width": result.width, "height": result.height}
        report = {"input": str(item.source), "output": str(item.target)} | sides | dict(result.facts)
        self._summary.restored.append(report)
        self._bars.end(item.source.name)

    def _failed(self, item: Item, error: Exception) -> None:
        """Go on without it. Raises the error where there is nothing else, or no room for anything else."""
        if len(self._items) == 1 or getattr(error, "errno", None) in _NO_ROOM:
            raise error
        self._summary.failed.append((item.source, str(error)))
        self._bars.say(f"{item.source}: {error}")
        self._bars.end(item.source.name)


def _housed(item: Item) -> Item:
    """The same item, with a folder for its result."""
    item.target.parent.mkdir(parents=True, exist_ok=True)
    return item
