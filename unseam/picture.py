"""A picture on its way: what is sent, and what comes back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from unseam.errors import MisnamedFile
from unseam.files import write_whole
from unseam.job import Job

SUFFIXES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".avif": "image/avif",
}

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | BinaryIO


def content(source: Source) -> bytes:
    """The bytes of a picture given as bytes, as a path, or as an open file.

    Raises TypeError for what is none of these, OSError for a file that cannot be read.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        return Path(source).read_bytes()
    if not hasattr(source, "read"):
        raise TypeError(f"a picture is given as a path, as bytes or as an open file, not as {type(source).__name__}")
    data = source.read()
    if not isinstance(data, bytes):
        raise TypeError("a picture's file is opened for bytes: open(path, 'rb')")
    return data


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
        """Write the file, whole or not at all; one that is there is replaced.

        Raises MisnamedFile if the name says that it is another kind of picture. A name that says nothing is taken.
        """
        named = SUFFIXES.get(Path(path).suffix.lower())
        if named not in (None, self.media_type):
            found, wanted = self.media_type.removeprefix("image/"), str(named).removeprefix("image/")
            raise MisnamedFile(f"{Path(path).name} is no name for a {found}; restore(..., format={wanted!r}) gives one")
        return write_whole(Path(path), self.content)
