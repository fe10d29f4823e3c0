"""A process's own folder for uploads and results, gone when the process is, however it ends."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Final

_PREFIX: Final = "unseam-"
_LOCK: Final = ".lock"


class Spool:
    """A new folder inside `parent` (by default the system's temporary one), locked as long as the process lives.

    Folders of processes that were killed carry no lock any more; they are removed when the next one starts.
    """

    def __init__(self, parent: Path | None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        parent.mkdir(parents=True, exist_ok=True)
        for leftover in parent.glob(f"{_PREFIX}*/{_LOCK}"):
            _remove_unlocked(leftover)
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = self.folder / "new.lock"
        self._lock = os.open(lock, os.O_CREAT | os.O_RDWR)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        lock.rename(self.folder / _LOCK)  # under its name only once it is held: see the loop above

    def upload(self, job_id: str) -> Path:
        """The file of a job's upload."""
        return self.folder / f"{job_id}.upload"

    def result(self, job_id: str) -> Path:
        """The file of a job's result."""
        return self.folder / f"{job_id}.result"

    def lend(self, job_id: str) -> Path:
        """Another name for a job's result, good until it is deleted itself. Raises FileNotFoundError."""
        lent = self.folder / f"{job_id}.{secrets.token_hex(8)}.lent"
        os.link(self.result(job_id), lent)
        return lent

    def remove(self) -> None:
        """Delete the folder with everything in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


def _remove_unlocked(lock: Path) -> None:
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:  # another user's, or gone meanwhile
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # its process lives
    else:
        shutil.rmtree(lock.parent, ignore_errors=True)
    finally:
        os.close(handle)
