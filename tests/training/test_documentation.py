"""docs/training.md says what is so."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest

from service.cli import COMMANDS
from training.recipe import RECIPES, Recipe

GUIDE = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
EXAMPLES = re.findall(r"^    unseam (.*)$", GUIDE, re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_command_line_that_is_taken(example: str) -> None:
    name, *words = shlex.split(example, comments=True)
    parser = ArgumentParser()
    import_module(COMMANDS[name][0]).add_arguments(parser)
    assert parser.parse_args(words)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_folder_that_a_shipped_recipe_wants_is_shown(path: Path) -> None:
    recipe = Recipe.read(path)
    wanted = {*recipe.data.clean, *(chosen.folder for chosen in recipe.validation if chosen.folder)}
    if recipe.data.pairs:
        wanted.add(recipe.data.pairs)
    shown = re.findall(r"^      ([\w/]+)/", GUIDE, re.MULTILINE)
    assert wanted <= {*shown, *(folder.partition("/")[0] for folder in shown)}


def test_every_extra_that_is_named_can_be_installed() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for extra in re.findall(r"'\.\[(\w+)\]'", GUIDE):
        assert re.search(rf"^{extra} = ", project, re.MULTILINE)
