"""Pictures that are never trained on, as a recipe lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch

from imaging.quality import luma, psnr
from models.network import RestorationNetwork
from training import degradations
from training.dataset import DatasetError, held_out, paired, pictures
from training.pages import UNSEEN, pages
from training.picture_files import Array, read
from training.recipe import Recipe, ValidationSet

ENOUGH_DB: Final = 50.0
HARMLESS_DB: Final = 39.0  # of pictures that need nothing: to keep them better is not worth restoring less


@dataclass(frozen=True)
class Example:
    """One degraded picture and what it should become, each (H, W, C) in 0..1."""

    name: str
    degraded: Array
    target: Array


def examples(recipe: Recipe, chosen: ValidationSet, data: Path) -> Iterator[Example]:
    """Yield the pictures of one of a recipe's validation sets; `data` is the folder its paths are relative to."""
    if chosen.pairs is not None:
        if recipe.data.pairs is None:
            raise DatasetError(f"validation set {chosen.name!r} needs pairs, but the recipe's data has none")
        for pair in held_out(data / recipe.data.pairs, recipe.data.held_out):
            if pair.set == chosen.pairs:
                target = read(pair.clean)
                yield Example(pair.name, target if chosen.clean else read(pair.rainy), target)
        return
    if chosen.folder is not None and chosen.input is not None and chosen.target is not None:
        for degraded_path, clean_path in paired(data / chosen.folder, chosen.input, chosen.target):
            yield Example(degraded_path.name, read(degraded_path), read(clean_path))
        return
    degrade = degradations.create(**recipe.degradation_with(chosen.degradation))
    for index, (name, whole) in enumerate(_undamaged(chosen, data)):
        target = whole[: len(whole) // chosen.multiple * chosen.multiple]
        target = target[:, : target.shape[1] // chosen.multiple * chosen.multiple]
        if chosen.clean:
            yield Example(name, target, target)
        else:
            degraded, wanted = degrade(_tensor(target), torch.Generator().manual_seed(index))
            yield Example(name, _array(degraded), _array(wanted))


def _undamaged(chosen: ValidationSet, data: Path) -> Iterator[tuple[str, Array]]:
    """Names and clean pictures (H, W, C) in 0..1, from a folder or drawn."""
    if chosen.folder is not None:
        for path in pictures(data / chosen.folder, chosen.pictures):
            yield path.name, read(path)
    for number, page in enumerate(pages(chosen.pages, UNSEEN)):
        yield f"page {number}", page.astype(np.float32) / np.float32(255)


class Validation:
    """The first pictures of every set, kept in memory for use during a run.

    Raises DatasetError for a set that has none.
    """

    def __init__(self, recipe: Recipe, data: Path, per_set: int = 6) -> None:
        self.sets = [(chosen, list(islice(examples(recipe, chosen, data), per_set))) for chosen in recipe.validation]
        if empty := [chosen.name for chosen, shown_set in self.sets if not shown_set]:
            raise DatasetError(f"there are no pictures to validate {', '.join(empty)} on")

    def psnr(self, network: RestorationNetwork, device: torch.device) -> dict[str, float]:
        """Mean PSNR in dB per set, of answers rounded to 8 bits."""
        return {
            chosen.name: float(
                np.mean(
                    [quality(restored(network, shown.degraded, device), shown.target, chosen) for shown in shown_set]
                )
            )
            for chosen, shown_set in self.sets
        }

    def score(self, psnr: Mapping[str, float]) -> float:
        """What makes one network of a run better than another, dB."""
        return score(psnr, [chosen for chosen, _ in self.sets])


def score(psnr: Mapping[str, float], sets: Iterable[ValidationSet]) -> float:
    """How well a network restores, if it does no harm, dB; `psnr` is by the sets' names.

    The mean over the sets, less what the clean ones, which ask for nothing but themselves, lack to `HARMLESS_DB`.
    """
    restored, lacking = [], 0.0
    for chosen in sets:
        if chosen.clean:
            lacking += max(0.0, HARMLESS_DB - psnr[chosen.name])
        else:
            restored.append(psnr[chosen.name])
    return sum(restored) / max(len(restored), 1) - lacking


def quality(image: Array, target: Array, chosen: ValidationSet) -> float:
    """PSNR in dB as the set asks for it, up to what is enough: nobody sees more, and no other set should pay for it."""
    if chosen.luma and target.shape[-1] == 3:
        image, target = luma(image), luma(target)
    return min(psnr(image, target, border=chosen.border), ENOUGH_DB)


@torch.inference_mode()
def restored(network: RestorationNetwork, picture: Array, device: torch.device) -> Array:
    """Restore one picture untiled and round the answer to 8 bits; (H, W, C) in 0..1."""
    return _array(network(_tensor(picture).to(device)).clamp(0, 1).mul(255).round().div(255))


def _tensor(picture: Array) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1).unsqueeze(0)


def _array(batch: torch.Tensor) -> Array:
    array: Array = batch.squeeze(0).permute(1, 2, 0).float().cpu().numpy()
    return array
