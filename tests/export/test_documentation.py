"""docs/export.md says what is so."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from export.manifest import Backend, Precision
from export.subject import read_config
from models import build
from service.cli import COMMANDS

GUIDE = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
EXAMPLES = re.findall(r"^ +(?:[A-Z_]+=\S+ )?unseam (.*)$", GUIDE, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_command_line_that_is_taken(example: str) -> None:
    name, *words = shlex.split(example, comments=True)
    parser = ArgumentParser()
    import_module(COMMANDS[name][0]).add_arguments(parser)
    assert parser.parse_args(words)


def test_the_settings_shown_make_a_network(tmp_path: Path) -> None:
    (table,) = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "mine.toml").write_text(table)
    assert build.create("ipt_v2", read_config("ipt_v2", tmp_path / "mine.toml")).lattice == 128


def test_every_backend_and_precision_is_told_of() -> None:
    for name in (*get_args(Backend), *get_args(Precision)):
        assert f"\n| `{name}` |" in GUIDE
