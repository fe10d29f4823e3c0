"""What restores one picture on this machine, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from service.batch.selection import Item
from service.errors import ServiceError

Progress = Callable[[int, int], object]


class UnreadableFile(ServiceError, ValueError):  # noqa: N818 - named for what it is, as service.errors
    """A picture's file that cannot be read."""

    @classmethod
    def of(cls, item: Item, error: OSError) -> UnreadableFile:
        """In words."""
        return cls(f"{item.source} cannot be read: {error.strerror}")


class RefusedPicture(ServiceError, ValueError):  # noqa: N818
    """A server does not take this picture, or failed at it."""


@dataclass(frozen=True)
class Restoration:
    """How a restored picture came about.

    Attributes:
        width: pixels.
        height: pixels.
        facts: network, tiles, seconds in each stage; values are JSON.
    """

    width: int
    height: int
    facts: Mapping[str, Any]


class Restorer(Protocol):
    """Restores a picture from file to file."""

    def __call__(self, item: Item, on_progress: Progress) -> Restoration:
        """Restore a picture; its result appears whole or not at all. `on_progress` is told tiles done and in all."""
        ...
