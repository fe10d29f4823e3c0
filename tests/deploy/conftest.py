from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def deploy() -> Path:
    return ROOT / "deploy"


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """A program's path; the test is skipped where it is not installed."""

    def find(name: str) -> str:
        return shutil.which(name) or pytest.skip(f"{name} is not installed: tests/install-system-packages")

    return find
