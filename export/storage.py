"""Artifacts are written whole or not at all: one lock for each name, a temporary folder, one rename at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


def default_root() -> Path:
    """The folder to write artifacts to: the first of `$UNSEAM_ARTIFACTS`, or `artifacts` in the working directory."""
    return Path(next(filter(None, os.environ.get("UNSEAM_ARTIFACTS", "").split(os.pathsep)), "artifacts"))


@contextmanager
def locked(root: Path, name: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the one lock of an artifact's name; `on_wait` is called once if another export holds it now.

    The lock is the kernel's, so a killed export gives it back.
    """
    if root.exists() and not root.is_dir():
        raise NotADirectoryError(f"{root} is a file, and artifacts are folders in a folder")
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / f".{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replacing(root: Path, name: str) -> Iterator[Path]:
    """Yield an empty folder that becomes `root/name` if the block ends well; on an error nothing is changed.

    Call it inside `locked`: whatever a killed export left behind for this name is then known to be nobody's. One that
    was killed when the old artifact was out of the way and the new one not yet in its place gives the old one back.
    """
    for leftover in root.glob(f".{name}.tmp-*"):
        if (leftover / "old").exists() and not (root / name).exists():
            (leftover / "old").rename(root / name)
        shutil.rmtree(leftover)
    work = Path(tempfile.mkdtemp(prefix=f".{name}.tmp-", dir=root))
    try:
        new = work / "new"
        new.mkdir()
        yield new
        target = root / name
        if target.exists():
            target.rename(work / "old")  # a folder cannot be renamed over one that has files
        new.rename(target)
    finally:
        shutil.rmtree(work)
