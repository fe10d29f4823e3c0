"""Pictures that are never trained on, and what a network makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from imaging.quality import luma, psnr
from models.network import RestorationNetwork
from training.dataset import read_pairs
from training.recipe import Recipe

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Validation:
    """Pictures by set: (input, target), each (H, W, C) in 0..1."""

    sets: dict[str, list[tuple[Array, Array]]]

    @classmethod
    def of(cls, recipe: Recipe, data: Path, per_set: int = 6) -> Validation:
        """The first `per_set` held-out pairs of every set, and their clean halves as pictures to leave alone."""
        sets: dict[str, list[tuple[Array, Array]]] = {}
        if recipe.data.pairs is not None:
            for pair in read_pairs(data / recipe.data.pairs):
                if pair.name in recipe.data.held_out and len(sets.setdefault(pair.set, [])) < per_set:
                    sets[pair.set].append((read(pair.rainy), read(pair.clean)))
        clean = [(target, target) for pairs in sets.values() for _, target in pairs][:4]
        return cls({**sets, "clean": clean} if clean else sets)

    def psnr(self, network: RestorationNetwork, device: torch.device) -> dict[str, float]:
        """Mean PSNR in dB on Y per set, of answers rounded to 8 bits."""
        return {
            name: float(
                np.mean([psnr(luma(restored(network, degraded, device)), luma(target)) for degraded, target in pairs])
            )
            for name, pairs in self.sets.items()
        }


def read(path: Path) -> Array:
    """Read a picture as (H, W, 3) in 0..1."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32) / np.float32(255)


@torch.inference_mode()
def restored(network: RestorationNetwork, picture: Array, device: torch.device) -> Array:
    """Restore one picture untiled and round the answer to 8 bits; (H, W, C) in 0..1."""
    x = torch.from_numpy(picture).permute(2, 0, 1).unsqueeze(0).to(device)
    y = network(x).squeeze(0).permute(1, 2, 0).clamp(0, 1).mul(255).round().div(255)
    answer: Array = y.float().cpu().numpy()
    return answer
