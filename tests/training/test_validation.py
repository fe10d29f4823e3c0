from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.dataset import DatasetError
from training.pages import pages
from training.recipe import Recipe, ValidationSet
from training.validation import ENOUGH_DB, HARMLESS_DB, Validation, examples, quality

SETS = (
    ValidationSet(name="noisy", folder="clean"),
    ValidationSet(name="noisier", folder="clean"),
    ValidationSet(name="clean", folder="clean", clean=True),
)


@pytest.fixture
def validation(tmp_path: Path) -> Validation:
    (tmp_path / "clean").mkdir()
    Image.fromarray(np.full((16, 16, 3), 128, np.uint8)).save(tmp_path / "clean" / "grey.png")
    return Validation(Recipe.named("ipt-v2-tiny-denoise").model_copy(update={"validation": SETS}), tmp_path)


def test_clean_pictures_count_only_as_far_as_they_are_harmed(validation: Validation) -> None:
    harmless = {"noisy": 31.0, "noisier": 25.0, "clean": HARMLESS_DB}
    assert validation.score(harmless) == 28.0
    assert validation.score(harmless | {"clean": 100.0}) == 28.0
    assert validation.score(harmless | {"clean": HARMLESS_DB - 2}) == 26.0


def test_better_than_anyone_sees_counts_no_more() -> None:
    picture = np.full((16, 16, 3), 0.5, np.float32)
    assert quality(picture, picture, ValidationSet(name="noisy", folder="clean")) == ENOUGH_DB
    assert quality(picture + 0.1, picture, ValidationSet(name="noisy", folder="clean")) == pytest.approx(20, abs=0.01)


def test_a_set_may_be_some_of_a_folders_pictures(tmp_path: Path) -> None:
    for name in "abc":
        Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / f"{name}.png")
    chosen = ValidationSet(name="two", folder=".", pictures=("a.png", "c.png"))
    shown = examples(Recipe.named("ipt-v2-tiny-denoise"), chosen, tmp_path)
    assert [example.name for example in shown] == ["a.png", "c.png"]


def test_a_set_may_be_drawn_pages_that_no_recipe_trains_on(tmp_path: Path) -> None:
    recipe = Recipe.named("ipt-v2-tiny-denoise")
    chosen = ValidationSet(name="pages", pages=2, degradation={"clean_share": 0.0, "camera_share": 0.0})
    shown = list(examples(recipe, chosen, tmp_path))
    seen = [page.astype(np.float32) / 255 for page in pages(recipe.data.pages, recipe.seed)]
    assert [example.name for example in shown] == ["page 0", "page 1"]
    for example in shown:
        assert not np.array_equal(example.degraded, example.target)
        assert not any(np.array_equal(example.target, page) for page in seen)


def test_a_set_of_pairs_that_is_not_there_is_named_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("rainy\tclean\tset\na.png\tb.png\tmine\n")
    recipe = Recipe.named("ipt-v2-tiny-derain")
    held = recipe.data.model_copy(update={"pairs": ".", "held_out": ("a.png",)})
    misspelt = (ValidationSet(name="other", pairs="mien"),)
    with pytest.raises(DatasetError, match="no pictures to validate other on"):
        Validation(recipe.model_copy(update={"data": held, "validation": misspelt}), tmp_path)


def test_a_set_may_be_pairs_whose_names_share_a_part(tmp_path: Path) -> None:
    for half, grey in (("hazy", 200), ("clear", 100)):
        (tmp_path / half).mkdir()
        for name in "ba":
            Image.new("L", (4, 4), grey).save(tmp_path / half / f"{name}_{half}.png")
    chosen = ValidationSet(name="haze", folder=".", input="hazy/*_hazy.png", target="clear/*_clear.png")
    recipe = Recipe.named("ipt-v2-tiny-denoise")
    shown = list(examples(recipe, chosen, tmp_path))
    assert [example.name for example in shown] == ["a_hazy.png", "b_hazy.png"]
    assert all((example.degraded > example.target).all() for example in shown)
    (tmp_path / "clear" / "a_clear.png").unlink()
    with pytest.raises(DatasetError, match=r"lacks .*a_clear\.png$"):
        list(examples(recipe, chosen, tmp_path))
    with pytest.raises(DatasetError, match=r"has no rainy/\*\.png"):
        list(examples(recipe, chosen.model_copy(update={"input": "rainy/*.png"}), tmp_path))
