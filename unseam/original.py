"""A picture as its owner has it: bytes, a path or an open file, read piece by piece as often as it is sent."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from unseam.errors import ChangedFile

PIECE_BYTES: Final = 1 << 20

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO


class Original:
    """A picture that is the same each time it is read; a file is opened anew each time.

    Of an open file, what comes after its position is the picture. What cannot be read twice, such as a pipe, is read
    into memory at once.

    Attributes:
        size_bytes: of the picture.

    Raises TypeError for what is no picture's source, OSError for a file that cannot be read.
    """

    def __init__(self, source: Source) -> None:
        self._source = _openable(source)
        with self._opened() as file:
            if not isinstance(file.read(0), bytes):
                raise TypeError("a picture's file is opened for bytes: open(path, 'rb')")
            name = getattr(file, "name", None)
            self._name = name if isinstance(name, str) else "the picture"
            if not file.seekable():
                self._source = file = io.BytesIO(file.read())
            self._start, self._state = file.tell(), _state(file)
            self.size_bytes = file.seek(0, os.SEEK_END) - self._start
            file.seek(self._start)

    def pieces(self) -> Iterator[bytes]:
        """All of it, from its start. Raises ChangedFile where it is not what it was, OSError where it is not read."""
        left = self.size_bytes
        with self._again() as file:
            while left:
                piece = file.read(min(left, PIECE_BYTES))
                if not piece or _state(file) != self._state:
                    raise ChangedFile(f"{self._name} has changed since it was first read to be sent")
                left -= len(piece)
                yield piece

    @contextmanager
    def _again(self) -> Iterator[BinaryIO]:
        try:
            with self._opened() as file:
                file.seek(self._start)
                yield file
        except FileNotFoundError as error:
            raise ChangedFile(f"{self._name} has gone since it was first read to be sent") from error

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        if isinstance(self._source, Path):
            with self._source.open("rb") as file:
                yield file
        else:
            yield self._source


def _openable(source: Source) -> Path | BinaryIO:
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        return Path(source)
    if not hasattr(source, "read"):
        raise TypeError(f"a picture is given as a path, as bytes or as an open file, not as {type(source).__name__}")
    return source


def _state(file: BinaryIO) -> tuple[int, ...] | None:
    """What changes when a file is written or another takes its name; None for what is only in memory."""
    try:
        found = os.fstat(file.fileno())
    except (AttributeError, OSError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
