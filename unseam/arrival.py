"""A picture on its way back: to memory, or to a file that appears once all of it is there."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx

from unseam.files import appearing
from unseam.job import Job
from unseam.picture import Restored, refuse_misnamed


class Arrival:
    """Takes the bytes of a result, and compares them with what its job tells of.

    Args:
        file: that they go to.
        path: under which they will be found; None for what stays in memory.

    Attributes:
        size_bytes: that have come.
    """

    def __init__(self, file: io.BytesIO | BinaryIO, path: Path | None = None) -> None:
        self._file, self._path = file, path
        self.begin()

    def begin(self) -> None:
        """Forget what has come: it comes again."""
        self._file.seek(0)
        self._file.truncate()
        self._digest, self.size_bytes = hashlib.sha256(), 0

    def take(self, piece: bytes) -> None:
        """The next bytes."""
        self._file.write(piece)
        self._digest.update(piece)
        self.size_bytes += len(piece)

    def restored(self, job: Job, answer: httpx.Response) -> Restored | None:
        """The picture, of which all has come; None if it is not the one that the job tells of."""
        if job.result and self._digest.hexdigest() != job.result.sha256:
            return None
        media_type = job.result.media_type if job.result else answer.headers.get("Content-Type", "")
        if isinstance(self._file, io.BytesIO):
            return Restored(self._file.getvalue(), media_type, job)
        assert self._path is not None
        self._file.flush()
        os.fsync(self._file.fileno())  # here, in a thread if need be: it takes long, and the renaming does not any more
        return Restored(self._path, media_type, job)


@contextmanager
def arriving(to: Path | None, job: Job) -> Iterator[Arrival]:
    """What takes a result; a file is there once the block ends well, whole, and else not at all.

    Raises MisnamedFile where the file's name says that it is another kind of picture.
    """
    if to is None:
        yield Arrival(io.BytesIO())
        return
    if job.result:
        refuse_misnamed(to, job.result.media_type)
    with appearing(to) as other, other.open("wb") as file:
        yield Arrival(file, to)


def placed(to: str | os.PathLike[str] | None) -> Path | None:
    """Where a result goes. Raises the OSError with which it could not, as far as that is known before it is made."""
    if to is None:
        return None
    path, folder = Path(to), Path(os.path.realpath(to)).parent
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
    return path
