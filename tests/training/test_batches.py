from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.batches import RecipeBatches
from training.dataset import DatasetError
from training.degradations.ranges import DegradationError
from training.pages import SIDE
from training.recipe import Recipe, ValidationSet

RECIPE = """
name = "test"
task = "denoise"
network = "ipt_v2"
config = "tiny"
validation = []
[data]
about = "one picture"
clean = ["clean"]
[degradation]
kind = "noise"
sigma = [25, 25]
clipped_share = 0.0
[schedule]
steps = 2
lr = 1e-3
[[schedule.phases]]
until = 0.5
patch = 32
batch = 1
degradation = {first}
[[schedule.phases]]
until = 1.0
patch = 32
batch = 1
"""


def recipe(folder: Path, first: str) -> Recipe:
    (folder / "clean").mkdir()
    Image.new("RGB", (48, 40), (128, 128, 128)).save(folder / "clean" / "grey.png")
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(first=first))
    return Recipe.read(path)


def test_a_phase_has_the_recipes_degradation_with_its_own_changes(tmp_path: Path) -> None:
    read = recipe(tmp_path, "{ sigma = [5, 5] }")
    draw = RecipeBatches(read, tmp_path, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    spread = [
        float((degraded - target).std()) * 255
        for degraded, target in (draw(p, generator) for p in read.schedule.phases)
    ]
    assert spread == pytest.approx([5, 25], rel=0.1)
    assert np.allclose(draw(read.schedule.phases[0], generator)[1], 128 / 255)


def test_a_phase_that_changes_what_is_not_there_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(DegradationError, match="sigmma"):
        RecipeBatches(recipe(tmp_path, "{ sigmma = [5, 5] }"), tmp_path, torch.device("cpu"))


def test_pictures_that_a_recipe_is_validated_on_are_not_trained_on(tmp_path: Path) -> None:
    read = recipe(tmp_path, "{}")
    Image.new("RGB", (48, 40), (255, 255, 255)).save(tmp_path / "clean" / "white.png")
    aside = ValidationSet(name="aside", folder="clean", pictures=("white.png",))
    draw = RecipeBatches(read.model_copy(update={"validation": (aside,)}), tmp_path, torch.device("cpu"))
    assert len(draw.photographs.photographs) == 1
    assert float(draw.photographs.photographs[0].max()) == 128
    aside = aside.model_copy(update={"pictures": ("wight.png",)})
    with pytest.raises(DatasetError, match="wight"):
        RecipeBatches(read.model_copy(update={"validation": (aside,)}), tmp_path, torch.device("cpu"))


def test_pairs_are_held_out_of_what_is_not_trained_on_them(tmp_path: Path) -> None:
    read = recipe(tmp_path, "{}")
    Image.new("RGB", (48, 40), (255, 255, 255)).save(tmp_path / "clean" / "white.png")
    (tmp_path / "pairs.tsv").write_text("rainy\tclean\tset\na.png\tclean/white.png\tmine\n")
    data = read.data.model_copy(update={"pairs": ".", "held_out": ("a.png",)})
    draw = RecipeBatches(read.model_copy(update={"data": data}), tmp_path, torch.device("cpu"))
    assert len(draw.photographs.photographs) == 1


def test_drawn_pages_join_the_photographs(tmp_path: Path) -> None:
    read = recipe(tmp_path, "{}")
    read = read.model_copy(update={"data": read.data.model_copy(update={"pages": 3})})
    photographs = RecipeBatches(read, tmp_path, torch.device("cpu")).photographs.photographs
    assert [picture.shape for picture in photographs] == [(3, 40, 48)] + [(3, SIDE, SIDE)] * 3
