"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, data: bytes) -> Path:
    """Write a file under another name first, then rename it: nobody ever sees half of it."""
    with appearing(path) as other:
        other.write_bytes(data)
    return path


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Give the name of an empty file beside `path` that takes its place if the block ends well, and else goes."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:32]}.", delete=False) as file:
        other = Path(file.name)
        try:
            yield other
            os.fsync(file.fileno())
            other.chmod(0o666 & ~_umask())  # as any new file; temporary ones are their owner's alone
            other.replace(path)
        except BaseException:
            other.unlink(missing_ok=True)
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
