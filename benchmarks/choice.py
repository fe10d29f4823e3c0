"""Which classical method stands beside a network, with which settings: the best of its task's on training photographs.

What it is measured on later has no say: for each validation set the candidates restore photographs that are trained
on, damaged as that set is, and the highest PSNR wins. A method thus knows what sort of damage a set has, as BM3D is
told the deviation of white noise; the networks are told nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.classical import Array, Classical
from training import degradations
from training.batches import RecipeBatches
from training.dataset import read_pairs
from training.picture_files import read
from training.recipe import Recipe, ValidationSet
from training.validation import Example, quality

PICTURES: Final = 48  # at most
SIDE_PX: Final = 192


def _each(name: str, **settings: Sequence[Any]) -> tuple[Classical, ...]:
    """The method with every combination of the settings."""
    return tuple(Classical(name, dict(zip(settings, values, strict=True))) for values in product(*settings.values()))


_SHARPENING: Final = (
    *_each("unsharp mask", radius=(1.0, 1.5, 2.0), amount=(0.2, 0.4, 0.6)),
    *_each("Richardson-Lucy", sigma=(0.5, 0.6, 0.7, 0.8, 1.0), iterations=(2, 3, 5)),
)
# Bilateral filters, medians, non-local means, wavelets and Wiener's filter were tried as well and gained less.
CANDIDATES: Final = {
    "deblur": _SHARPENING,
    "defocus": _SHARPENING,
    "dejpeg": (
        *_each("BM3D", sigma=(6, 9, 12, 16, 20, 24, 30, 36), profile=("lc",)),
        *_each("total variation", weight=(0.01, 0.02, 0.04)),
    ),
    "denoise": _each("blind BM3D", factor=(1.0, 1.5, 2.0, 2.5, 3.0, 4.0), profile=("lc",)),
    "derain": (
        *_each("opening", width=(3, 5, 7, 9, 13, 19, 25, 31)),
        *_each("total variation", weight=(0.02, 0.05, 0.1)),
    ),
    "weather": (
        *_each("dark channel prior", omega=(0.35, 0.5, 0.65, 0.8, 0.95)),
        *_each("contrast stretch"),
        *_each("CLAHE", clip=(0.002, 0.01)),
        *_each("opening", width=(3, 5, 7)),
        *_each("total variation", weight=(0.02, 0.05)),
    ),
}
# Pairs of files have no training side: their method is that of the set whose damage is made after theirs.
KIN: Final = {"PolyU": "camera, Set14", "SOTS": "haze"}


class Choice:
    """The best candidates for a recipe's validation sets; its paths are relative to the folder `data`."""

    def __init__(self, recipe: Recipe, data: Path) -> None:
        self.recipe, self.data = recipe, data
        self._made: dict[str, tuple[Classical, dict[str, Any]]] = {}

    def of(self, chosen: ValidationSet) -> tuple[Classical, dict[str, Any]] | None:
        """The best candidate and, for the record, the PSNR of each and of the input on the training side, dB.

        None where the task has no candidates, or the set is one of clean pictures or has no training side.
        """
        if chosen.clean or self.recipe.task not in CANDIDATES:
            return None
        if chosen.input is not None:
            kin = next((each for each in self.recipe.validation if each.name == KIN.get(chosen.name)), None)
            return self.of(kin) if kin else None
        if chosen.name not in self._made:
            self._made[chosen.name] = self._best(chosen)
        return self._made[chosen.name]

    def training_side(self, chosen: ValidationSet) -> Iterator[Example]:
        """Yield crops of pictures that the recipe trains on, with the damage of one of its validation sets."""
        if chosen.pairs is not None:
            yield from self._pairs(chosen.pairs)
            return
        degrade = degradations.create(**self.recipe.degradation_with(chosen.degradation))
        for index, crop in enumerate(self._crops):
            both = degrade(crop[None], torch.Generator().manual_seed(index))
            degraded, target = (batch[0].permute(1, 2, 0).numpy() for batch in both)
            yield Example(str(index), degraded, target)

    def _best(self, chosen: ValidationSet) -> tuple[Classical, dict[str, Any]]:
        shown = list(self.training_side(chosen))

        def mean_db(answers: Iterable[Array]) -> float:
            found = [quality(answer, each.target, chosen) for answer, each in zip(answers, shown, strict=True)]
            return round(float(np.mean(found)), 4)

        candidates = tqdm(CANDIDATES[self.recipe.task], desc=f"{self.recipe.name}, {chosen.name}: choosing")
        tried = [(mean_db(method(each.degraded) for each in shown), method) for method in candidates]
        record = {
            "pictures": len(shown),
            "input_psnr_db": mean_db(each.degraded for each in shown),
            "tried": [{"method": method.name, **method.settings, "psnr_db": db} for db, method in tried],
        }
        return max(tried, key=lambda each: each[0])[1], record

    def _pairs(self, name: str) -> Iterator[Example]:
        data = self.recipe.data
        assert data.pairs is not None
        pairs = [pair for pair in read_pairs(self.data / data.pairs) if pair.set == name]
        trained_on = [pair for pair in pairs if pair.name not in data.held_out]
        crop = np.s_[:SIDE_PX, :SIDE_PX]
        spread = np.linspace(0, len(trained_on) - 1, min(PICTURES, len(trained_on))).astype(int)
        for pair in (trained_on[index] for index in spread):
            yield Example(pair.name, read(pair.rainy)[crop], read(pair.clean)[crop])

    @cached_property
    def _crops(self) -> torch.Tensor:
        """Crops (PICTURES, 3, SIDE_PX, SIDE_PX) of the photographs trained on, without the drawn pages beside them."""
        photographs_alone = self.recipe.data.model_copy(update={"pages": 0})
        recipe = self.recipe.model_copy(update={"data": photographs_alone})
        photographs = RecipeBatches(recipe, self.data, torch.device("cpu")).photographs
        return photographs.crops(PICTURES, SIDE_PX, torch.Generator().manual_seed(0))
