"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL


def write_whole(path: Path, data: bytes | bytearray | memoryview) -> Path:
    """Write a file under another name first, then rename it: nobody ever sees half of it."""
    with appearing(path) as other:
        other.write_bytes(data)
    return path


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give the name of an empty file beside `path` that takes its place if the block ends well, and else goes.

    It has the rights of the file whose place it takes, or those of any new file. Where `path` is a link, the file that
    it leads to is the one that is replaced.
    """
    path = Path(os.path.realpath(path))
    other = path.with_name(f".{path.name[:32]}.{secrets.token_hex(4)}")
    descriptor = os.open(other, NEW, 0o666)  # less the umask, which the kernel takes off: it is every thread's
    try:
        yield other
        os.fsync(descriptor)
        with suppress(FileNotFoundError):
            other.chmod(stat.S_IMODE(path.stat().st_mode))
        other.replace(path)
    except BaseException:
        other.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
