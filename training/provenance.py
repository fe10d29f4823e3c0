"""By which code a weight was made."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path


def code(file: Path) -> str:
    """The short commit of the checkout that `file` is tracked in, or else the installed version, `unseam 1.2.3`.

    An installed copy may lie inside another project's checkout, whose commits say nothing of it.
    """
    try:
        named = subprocess.run(
            ["git", "-C", str(file.parent), "rev-parse", "HEAD", f"HEAD:./{file.name}"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):  # no git, no checkout, or another one
        return f"unseam {version('unseam')}"
    return named.stdout[:7]
