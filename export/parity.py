"""Is the exported graph the network? Every backend's tiles against the torch network's, on photographs and on noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from export import pictures
from export.manifest import Precision
from models.network import RestorationNetwork

Tiles = NDArray[np.float32]

MAX_ABS_FP32 = 1e-4
MIN_PSNR_HALF_DB = 60.0
PSNR_CAP_DB = 200.0  # equal tiles have no finite PSNR, and JSON no infinity


@dataclass(frozen=True)
class Figures:
    """Difference of two answers with values 0..1: the largest absolute one, and the PSNR in dB (capped at 200)."""

    max_abs: float
    psnr_db: float

    def within(self, precision: Precision) -> bool:
        """Whether it is small enough: 1e-4 for float32 graphs, 60 dB for half precision."""
        return self.max_abs <= MAX_ABS_FP32 if precision == "fp32" else self.psnr_db >= MIN_PSNR_HALF_DB


def tiles(tile: int, channels: int) -> Tiles:
    """Three tiles (3, channels, tile, tile): a photograph (or a generated picture), a generated picture, noise."""
    leaves = [pictures.dead_leaves(tile, channels, seed) for seed in range(2)]
    chosen = [*(pictures.photographs(1, tile, channels) or leaves[1:]), leaves[0], pictures.noise(tile, channels)]
    return np.stack([picture.transpose(2, 0, 1) for picture in chosen])


def answers(network: RestorationNetwork, inputs: Tiles) -> Tiles:
    """What the torch network answers, one tile at a time to bound the memory."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        restored = [network.restore(torch.from_numpy(tile[None]).to(device)).float().cpu() for tile in inputs]
    return torch.cat(restored).numpy()


def compare(expected: Tiles, run: Callable[[Tiles], Tiles], inputs: Tiles) -> Figures:
    """Run `inputs` as one batch and as a batch of one, which has to agree as well; the worse figures count."""
    return worst(difference(expected[: len(batch)], run(batch)) for batch in (inputs, inputs[:1]))


def difference(expected: Tiles, found: Tiles) -> Figures:
    """Figures of two answers of equal shape; a value that is not finite counts as the largest error there is."""
    if expected.shape != found.shape or not np.isfinite(found).all():
        return Figures(float(np.finfo(np.float32).max), 0.0)
    error = np.abs(expected.astype(np.float64) - found)
    mean_square = float(np.mean(np.square(error)))
    psnr = PSNR_CAP_DB if mean_square == 0 else min(-10 * float(np.log10(mean_square)), PSNR_CAP_DB)
    return Figures(float(error.max()), psnr)


def worst(figures: Iterable[Figures]) -> Figures:
    """The largest error and the lowest PSNR of several."""
    several = tuple(figures)
    return Figures(max(one.max_abs for one in several), min(one.psnr_db for one in several))
