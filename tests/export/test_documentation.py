"""docs/export.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from export.manifest import Backend, Precision
from export.subject import read_config
from models import build

GUIDE = (Path(__file__).parents[2] / "docs" / "export.md").read_text()


def test_the_settings_shown_make_a_network(tmp_path: Path) -> None:
    (table,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "mine.toml").write_text(table)
    assert build.create("ipt_v2", read_config("ipt_v2", tmp_path / "mine.toml")).lattice == 128


def test_every_backend_and_precision_is_told_of() -> None:
    for name in (*get_args(Backend), *get_args(Precision)):
        assert f"\n| `{name}` |" in GUIDE
