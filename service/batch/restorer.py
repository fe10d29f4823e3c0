"""What restores one picture: this machine, or a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from imaging.codec import Format

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Restoration:
    """A restored picture and how it came about.

    Attributes:
        content: the file's bytes; None where they are in the file already.
        width: pixels.
        height: pixels.
        facts: network, tiles, seconds in each stage; values are JSON.
    """

    content: bytes | None
    width: int
    height: int
    facts: Mapping[str, Any]


class Restorer(Protocol):
    """Restores the bytes of a picture."""

    def __call__(self, data: bytes, format: Format, on_progress: Progress) -> Restoration:
        """Restore a picture into a kind of file; `on_progress` is told tiles done and tiles in all."""
        ...

    def by_rows(self, source: Path, target: Path, format: Format, on_progress: Progress) -> Restoration | None:
        """Restore a picture that is too large to be in memory from file to file; None for any other."""
        ...
