"""docs/training.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from training.recipe import RECIPES, Recipe

GUIDE = (Path(__file__).parents[2] / "docs" / "training.md").read_text()


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
