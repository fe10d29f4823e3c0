from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models import registry
from models.build import create
from training import degradations
from training.beginning import Beginning, begin_from
from training.recipe import RECIPES, Phase, Recipe, RecipeError, Schedule, ValidationSet


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_recipe_names_what_exists_and_begins_from_what_fits(path: Path) -> None:
    recipe = Recipe.named(path.stem)
    assert recipe.name == path.stem
    network = create(recipe.network, recipe.config)
    if recipe.begins_from:
        begin_from(network, Beginning.read(registry.find(recipe.begins_from).path))
    degradations.create(**recipe.degradation)
    for chosen in recipe.validation:
        degradations.create(**recipe.degradation_with(chosen.degradation))


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


@pytest.mark.parametrize(("ends", "said"), [((), "at least 1"), ((0.5, 0.5), "end later"), ((1.0, 0.5), "end later")])
def test_phases_that_would_not_be_reached_are_refused(ends: tuple[float, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Schedule(steps=9, lr=1e-3, phases=tuple(Phase(until=end, patch=8, batch=1) for end in ends))


def test_what_a_phase_changes_in_a_part_leaves_the_rest_of_the_part() -> None:
    recipe = Recipe.named("ipt-v2-tiny-weather").model_copy(
        update={"degradation": {"kind": "weather", "drops": {"fill": [0.1, 0.2], "shade": [0.3, 0.4]}}}
    )
    changed = recipe.degradation_with({"drops": {"shade": [0.5, 1.0]}, "snow_share": 0.1})
    assert changed == {"kind": "weather", "drops": {"fill": [0.1, 0.2], "shade": [0.5, 1.0]}, "snow_share": 0.1}
    assert recipe.degradation["drops"]["shade"] == [0.3, 0.4]


@pytest.mark.parametrize("wrong", [{"betas": (0.9, 1.5)}, {"weight_decay": -1.0}])
def test_a_schedule_that_the_optimizer_would_not_take_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Schedule(steps=9, lr=1e-3, phases=(Phase(until=1, patch=8, batch=1),), **wrong)


def test_a_degradation_without_a_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(
        (RECIPES / "ipt-v2-tiny-denoise.toml").read_text().replace('kind = "mixed-noise"', "camera_share = 0.5")
    )
    with pytest.raises(RecipeError, match=r"degradation\n.*it needs a kind"):
        Recipe.read(path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"input": "*_a.png"}, "each of these with one"),
        ({"input": "*_a.png", "target": "b.png"}, "each of these with one"),
        ({"input": "*_a.png", "target": "*_b.png", "clean": True}, "nothing is chosen"),
    ],
)
def test_a_validation_set_of_pairs_has_both_halves_and_nothing_else(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ValidationSet(name="pairs", folder=".", **wrong)
