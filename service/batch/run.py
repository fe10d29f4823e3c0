"""Restore one picture after the other; one that fails does not keep the others from being restored."""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from imaging.errors import InvalidResult, PictureError, PlanError
from service.batch.progress import Bars
from service.batch.remote import RefusedPicture
from service.batch.restorer import Restorer
from service.batch.selection import Item
from service.batch.summary import Summary
from service.errors import ServiceError
from unseam.files import write_whole


class UnreadableFile(ServiceError, ValueError):  # noqa: N818 - named for what it is, as service.errors
    """A picture's file that cannot be read."""


# What is one picture's own trouble. Anything else would meet every other picture, too, and ends the run.
OWN_TROUBLE: Final = (
    PictureError, PlanError, InvalidResult, MemoryError, UnreadableFile, RefusedPicture, OSError,
)  # fmt: skip
_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def restore_all(items: Sequence[Item], restore: Restorer, summary: Summary, bars: Bars) -> None:
    """Restore every item, and note in the summary what became of it. A single item's error is raised."""
    start = time.perf_counter()
    try:
        for item in items:
            bars.begin(item.source.name)
            try:
                summary.restored.append(_restore(item, restore, summary, bars))
            except OWN_TROUBLE as error:
                if len(items) == 1 or getattr(error, "errno", None) in _NO_ROOM:
                    raise
                summary.failed.append((item.source, str(error)))
                bars.say(f"{item.source}: {error}")
            bars.end()
    finally:
        summary.seconds = time.perf_counter() - start


def _restore(item: Item, restore: Restorer, summary: Summary, bars: Bars) -> dict[str, Any]:
    item.target.parent.mkdir(parents=True, exist_ok=True)
    result = restore.by_rows(item.source, item.target, item.format, bars.advance)
    if result is None:
        result = restore(_read(item.source), item.format, bars.advance)
    if result.content is not None:
        write_whole(item.target, result.content)
    summary.megapixels += result.width * result.height / 1e6
    sides = {"width": result.width, "height": result.height}
    return {"input": str(item.source), "output": str(item.target)} | sides | dict(result.facts)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}") from error
