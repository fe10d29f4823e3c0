"""Pictures on their way between processes: uploads, results, and tiles of large pictures. Never in Redis.

A name is `uploads/ID`, `results/ID.ATTEMPT` or `tiles/ID/NUMBER`. A blob is there whole or not at all.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

S3: Final = "s3://"
_NEW: Final = ".new"


class Blobs(Protocol):
    """A store that every process of the service reaches."""

    def put(self, name: str, data: bytes) -> None:
        """Keep bytes under a name, in place of what it had."""
        ...

    def put_file(self, name: str, path: Path) -> None:
        """Keep a file's bytes; the file may be gone afterwards."""
        ...

    def get(self, name: str) -> bytes:
        """The bytes. Raises FileNotFoundError."""
        ...

    def fetch(self, name: str, path: Path) -> None:
        """Write the bytes to a new file. Raises FileNotFoundError."""
        ...

    def delete(self, name: str) -> None:
        """Delete a blob, if there is one."""
        ...

    def names(self, prefix: str = "") -> Iterator[str]:
        """Every name that begins so; a prefix ends with a slash."""
        ...


def connect(address: str) -> Blobs:
    """The store at an address: a folder, or `s3://bucket/prefix`."""
    if address.startswith(S3):
        from service.jobs.s3 import S3Blobs  # the package obstore is needed here alone

        return S3Blobs(address)
    return FolderBlobs(Path(address))


class FolderBlobs:
    """A folder that every host mounts at the same place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._new = folder / _NEW
        self._new.mkdir(parents=True, exist_ok=True)

    def put(self, name: str, data: bytes) -> None:
        """See `Blobs.put`. On disk before it has its name, but for tiles, which can be made again."""
        new = self._new / secrets.token_hex(16)
        try:
            with new.open("wb") as file:
                file.write(data)
                if not name.startswith("tiles/"):
                    file.flush()
                    os.fsync(file.fileno())
            self._name(new, name)
        finally:
            new.unlink(missing_ok=True)

    def put_file(self, name: str, path: Path) -> None:
        """See `Blobs.put_file`; within one file system nothing is copied."""
        with path.open("rb") as file:
            os.fsync(file.fileno())
        try:
            self._name(path, name)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            new = self._new / secrets.token_hex(16)
            try:
                shutil.copyfile(path, new)
                with new.open("rb") as file:
                    os.fsync(file.fileno())
                self._name(new, name)
            finally:
                new.unlink(missing_ok=True)

    def get(self, name: str) -> bytes:
        """See `Blobs.get`."""
        return (self._folder / name).read_bytes()

    def fetch(self, name: str, path: Path) -> None:
        """See `Blobs.fetch`; within one file system nothing is copied."""
        try:
            os.link(self._folder / name, path)
        except FileNotFoundError:
            raise
        except OSError:  # another file system
            shutil.copyfile(self._folder / name, path)

    def delete(self, name: str) -> None:
        """See `Blobs.delete`."""
        path = self._folder / name
        path.unlink(missing_ok=True)
        if name.startswith("tiles/"):
            with suppress(OSError):  # others are still there
                path.parent.rmdir()

    def names(self, prefix: str = "") -> Iterator[str]:
        """See `Blobs.names`; half-written ones are listed too, so that those of killed processes can be deleted."""
        for root, _, files in os.walk(self._folder / prefix):
            for file in files:
                yield str((Path(root) / file).relative_to(self._folder))

    def _name(self, path: Path, name: str) -> None:
        target = self._folder / name
        while True:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.rename(target)
            except FileNotFoundError:
                if not path.exists():
                    raise
            else:
                return  # else the folder went between the two lines, with its last other tile
