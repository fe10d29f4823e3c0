"""A picture on its way: what is sent, and what comes back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from unseam.files import write_whole
from unseam.job import Job

Source = bytes | str | os.PathLike[str] | BinaryIO


def content(source: Source) -> bytes:
    """The bytes of a picture given as bytes, as a path, or as an open file."""
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | os.PathLike):
        return Path(source).read_bytes()
    return source.read()


@dataclass(frozen=True)
class Restored:
    """A restored picture.

    Attributes:
        content: the file's bytes.
        media_type: `image/jpeg` and the like.
        job: how it was done: network, tiles, seconds.
    """

    content: bytes
    media_type: str
    job: Job

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, whole or not at all; one that is there is replaced."""
        return write_whole(Path(path), self.content)
