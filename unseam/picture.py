"""A restored picture."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from unseam.errors import MisnamedFile
from unseam.files import appearing, write_whole
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


@dataclass(frozen=True)
class Restored:
    """A restored picture.

    Attributes:
        held: the file's bytes, or the file that they were written to.
        media_type: `image/jpeg` and the like.
        job: how it was done: network, tiles, seconds.
    """

    held: bytes | Path = field(repr=False)
    media_type: str
    job: Job

    @property
    def content(self) -> bytes:
        """The file's bytes; read into memory, where they went to a file."""
        return self.held.read_bytes() if isinstance(self.held, Path) else self.held

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file, whole or not at all; one that is there is replaced.

        Raises MisnamedFile if the name says that it is another kind of picture. A name that says nothing is taken.
        """
        path = Path(path)
        refuse_misnamed(path, self.media_type)
        if isinstance(self.held, bytes):
            return write_whole(path, self.held)
        with appearing(path) as other:
            shutil.copyfile(self.held, other)
        return path


def refuse_misnamed(path: Path, media_type: str) -> None:
    """Raise MisnamedFile if the name says that this is another kind of picture."""
    named = SUFFIXES.get(path.suffix.lower())
    if named not in (None, media_type):
        found, wanted = media_type.removeprefix("image/"), str(named).removeprefix("image/")
        raise MisnamedFile(f"{path.name} is no name for a {found}; restore(..., format={wanted!r}) gives one")
