from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from training.dataset import DatasetError
from training.recipe import Phase, Recipe, RecipeError
from training.rehearsal import rehearse
from training.validation import Example, Validation

RECIPE = Recipe.named("grl-tiny-upscale-x2").model_copy(update={"validation": ()})


def sized(side: int) -> Callable[[Phase, torch.Generator], tuple[Tensor, Tensor]]:
    """Batches with inputs of this side."""
    return lambda phase, _: (torch.zeros(1, 3, side, side), torch.zeros(1, 3, phase.patch, phase.patch))


def test_what_the_last_phase_cannot_draw_is_said_before_the_run(tmp_path: Path) -> None:
    def draw(phase: Phase, _: torch.Generator) -> tuple[Tensor, Tensor]:
        if phase is RECIPE.schedule.phases[-1]:
            raise DatasetError("no picture is at least 512x512")
        return sized(64)(phase, _)

    with pytest.raises(DatasetError, match="512x512"):
        rehearse(RECIPE, 2, draw, Validation(RECIPE, tmp_path))


def test_a_degradation_of_another_scale_than_the_networks_is_refused(tmp_path: Path) -> None:
    nothing = Validation(RECIPE, tmp_path)
    rehearse(RECIPE, 2, sized(64), nothing)
    with pytest.raises(
        RecipeError, match=r"2 times as large, but the phase until 0.25 has inputs of 32x32 and targets"
    ):
        rehearse(RECIPE, 2, sized(32), nothing)


def test_a_set_of_another_scale_than_the_networks_is_named(tmp_path: Path) -> None:
    validation = Validation(RECIPE, tmp_path)
    clean = Recipe.named("ipt-v2-tiny-denoise").validation[-1]
    picture = torch.zeros(8, 8, 3).numpy()
    validation.sets = [(clean, [Example("a", picture, picture)])]
    with pytest.raises(RecipeError, match="set 'clean, Set14' has inputs of 8x8 and targets of 8x8 pixels"):
        rehearse(RECIPE, 2, sized(64), validation)
