from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def goldens() -> list[Path]:
    """The goldens beside the public test pictures."""
    root = Path(__file__).resolve().parents[2]
    found = sorted((Path(os.environ.get("UNSEAM_DATA", root / "../shared/data")).parent / "goldens").glob("*.json"))
    if not found:
        pytest.skip("no goldens beside UNSEAM_DATA")
    return found
