from __future__ import annotations

from pathlib import Path

import pytest

from models import registry
from models.build import create
from training import degradations
from training.recipe import RECIPES, Recipe, RecipeError


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_recipe_names_what_exists(path: Path) -> None:
    recipe = Recipe.named(path.stem)
    assert recipe.name == path.stem
    create(recipe.network, recipe.config)
    if recipe.begins_from:
        registry.find(recipe.begins_from)
    degradations.create(**recipe.degradation)
    for chosen in recipe.validation:
        degradations.create(**{**recipe.degradation, **chosen.degradation})


def test_a_field_that_does_not_exist_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('name = "x"\nlearning_rate = 1\n')
    with pytest.raises(RecipeError, match="learning_rate"):
        Recipe.read(path)


def test_an_unknown_recipe_is_answered_with_those_there_are() -> None:
    with pytest.raises(RecipeError, match="ipt-v2-tiny-derain"):
        Recipe.named("nothing")


def test_a_shipped_recipe_goes_by_the_name_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (RECIPES / "ipt-v2-tiny-denoise.toml").read_text()
    (tmp_path / "mine.toml").write_text(text)
    monkeypatch.setattr("training.recipe.RECIPES", tmp_path)
    with pytest.raises(RecipeError, match="its name is 'ipt-v2-tiny-denoise'"):
        Recipe.named("mine")
