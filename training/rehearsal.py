"""What would go wrong hours later is tried before a run: a batch of every phase, and the sizes of all pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from training.batches import Batches
from training.recipe import Recipe, RecipeError
from training.validation import Validation


def rehearse(recipe: Recipe, scale: int, batches: Batches, validation: Validation) -> None:
    """Draw a batch of every phase, with a generator of its own; `scale` is the network's.

    Raises:
        DatasetError, DegradationError: a phase's batch cannot be drawn.
        RecipeError: targets of a phase or of a validation set have other sizes than the network's answers.
    """
    for each in recipe.schedule.phases:
        degraded, target = batches(each, torch.Generator().manual_seed(recipe.seed))
        _check(recipe, scale, f"the phase until {each.until}", degraded.shape[-2:], target.shape[-2:])
    for chosen, shown in validation.sets:
        for example in shown:
            _check(recipe, scale, f"set {chosen.name!r}", example.degraded.shape[:2], example.target.shape[:2])


def _check(recipe: Recipe, scale: int, name: str, degraded: Sequence[int], target: Sequence[int]) -> None:
    if [side * scale for side in degraded] != list(target):
        raise RecipeError(
            f"{recipe.name}: {recipe.network}/{recipe.config} makes pictures {scale} times as large, but {name} has "
            f"inputs of {degraded[1]}x{degraded[0]} and targets of {target[1]}x{target[0]} pixels"
        )
