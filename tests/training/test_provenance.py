from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

from training.provenance import code


def test_code_is_told_by_its_own_checkout_or_by_its_version(tmp_path: Path) -> None:
    tracked, untracked = tmp_path / "in" / "it.py", tmp_path / "in" / "site-packages.py"
    tracked.parent.mkdir()
    tracked.touch()
    untracked.touch()
    installed = f"unseam {version('unseam')}"
    assert code(tracked) == installed
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "add", str(tracked)], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "all"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert head.startswith(code(tracked))
    assert code(untracked) == installed
