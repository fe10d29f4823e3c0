"""TensorRT's plans on disk: a folder that nobody else can write to, and beside each plan a note on what it is.

A plan is code that runs on the GPU. So it is loaded only if it is the one that was written, by this user.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from export.manifest import file_sha256


class UnsafeFolderError(OSError):
    """The folder of plans belongs to somebody else, or others may write to it."""


def folder() -> Path:
    """`unseam/plans` in the user's cache folder, readable and writable for this user alone.

    Raises UnsafeFolderError where it is there already and is not.
    """
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "unseam" / "plans"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UnsafeFolderError(
            f"{path} belongs to another user or can be written to by others, and what lies there is run: "
            "remove it, or chmod 700 it if it is yours"
        )
    return path


def is_whole(plan: Path) -> bool:
    """Whether a plan is there as `save` wrote it."""
    try:
        noted = json.loads(note(plan).read_bytes())
        return bool(noted["plan_sha256"] == file_sha256(plan))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def save(plan: Path, content: bytes, about: Mapping[str, str]) -> None:
    """Write a plan, then its note: `about` it, and its sha256. Killed in between, the plan counts as not there."""
    write(plan, content)
    noted = {**about, "plan_sha256": file_sha256(plan)}
    write(note(plan), json.dumps(noted, indent=2).encode() + b"\n")


def note(plan: Path) -> Path:
    """The note beside a plan."""
    return plan.with_suffix(".json")


def write(path: Path, content: bytes) -> None:
    """Write the file whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        written = Path(file.name)
        try:
            file.write(content)
            file.flush()
            written.replace(path)
        except BaseException:
            written.unlink()
            raise
