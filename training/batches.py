"""What a recipe trains on: clean crops, degraded on the fly, on the training device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training import degradations
from training.dataset import Photographs, held_out, pictures, without
from training.pages import pages
from training.recipe import Phase, Recipe

Batches = Callable[[Phase, torch.Generator], tuple[Tensor, Tensor]]  # (input, target) of a phase's size


class RecipeBatches:
    """Draws (input, target) batches of a recipe; `data` is the folder that the recipe's paths are relative to.

    Pictures that the recipe is validated on are left out, wherever they lie.
    """

    def __init__(self, recipe: Recipe, data: Path, device: torch.device) -> None:
        ours: dict[str, Any] = {}
        excluded = [
            path
            for chosen in recipe.validation
            if chosen.folder is not None
            for path in pictures(data / chosen.folder, chosen.pictures)
        ]
        if recipe.data.pairs is not None:
            pairs = data / recipe.data.pairs
            excluded += [pair.clean for pair in held_out(pairs, recipe.data.held_out)]
            if degradations.takes(recipe.degradation["kind"], "pairs"):  # others are validated on them alone
                ours = {"pairs": pairs, "held_out": recipe.data.held_out}
        clean = [path for folder in recipe.data.clean for path in pictures(data / folder)]
        drawn = pages(recipe.data.pages, recipe.seed)
        self.photographs = Photographs(without(clean, excluded), device, drawn=drawn)
        self._degrade = {
            phase.until: degradations.create(**ours | recipe.degradation_with(phase.degradation))
            for phase in recipe.schedule.phases
        }

    def __call__(self, phase: Phase, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw the next batch of a phase's size."""
        crops = self.photographs.crops(phase.batch, phase.patch, generator)
        return self._degrade[phase.until](crops, generator)
