"""Commands in the guides are commands that there are."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest

from service.cli import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = [
    (guide, example)
    for guide in ("export.md", "training.md")
    for example in re.findall(r"^ +(?:[A-Z_]+=\S+ )?unseam (.*)$", (DOCS / guide).read_text(), re.MULTILINE)
]


@pytest.mark.parametrize(("guide", "example"), EXAMPLES)
def test_every_example_is_a_command_line_that_is_taken(guide: str, example: str) -> None:
    name, *words = shlex.split(example, comments=True)
    parser = ArgumentParser()
    import_module(COMMANDS[name][0]).add_arguments(parser)
    assert parser.parse_args(words), guide


@pytest.mark.parametrize("guide", ["export.md", "training.md"])
def test_every_guide_has_examples(guide: str) -> None:
    assert sum(name == guide for name, _ in EXAMPLES) > 2
