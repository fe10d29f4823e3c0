"""Rain laid on clean photographs: streak layers of the benchmark pairs, drawn streaks, and a veil of haze.

The rain of Rain100L and Rain100H (Yang et al., "Deep Joint Rain Detection and Removal", 2017) is exactly additive and
grey, clipped at white: rainy - clean of one pair is a layer that can fall on any photograph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.dataset import read_pairs
from training.degradations.draws import Draws
from training.degradations.ranges import DegradationError, Range, check_range, check_shares
from training.degradations.streaks import streaks
from training.picture_files import read_8bit


@dataclass(frozen=True)
class Rain:
    """Additive rain; the target is the picture without rain and veil.

    Attributes:
        pairs: folder with `pairs.tsv` and its rainy pictures; without it every layer is drawn.
        held_out: rainy pictures kept for validation; their layers are never used.
        clean_share: pictures that stay as they are, so that the network learns to do no harm.
        drawn_share: pictures with drawn streaks rather than a layer of the pairs.
        set_shares: among the layers of the pairs, the share of each set.
        gain: brightness of a layer relative to the pair it was taken from.
        veil_share: pictures with a thin haze before the rain; `veil` is the haze's opacity.
    """

    pairs: Path | None = None
    held_out: tuple[str, ...] = ()
    clean_share: float = 0.1
    drawn_share: float = 0.15
    set_shares: tuple[tuple[str, float], ...] = (("rain100L", 0.65), ("rain200H", 0.3), ("rainTrainH", 0.05))
    gain: Range = (0.8, 1.2)
    veil_share: float = 0.05
    veil: Range = (0.05, 0.35)

    def __post_init__(self) -> None:
        check_shares(self)
        check_range("gain", self.gain, 0, 4)
        check_range("veil", self.veil, 0, 1)
        if not (isinstance(self.set_shares, tuple) and self.set_shares and all(map(_is_share, self.set_shares))):
            raise DegradationError(f"set_shares must be pairs of a set's name and its share, not {self.set_shares}")

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Make (rainy, clean) of `clean` (B, 3, H, W) in 0..1."""
        batch, _, height, width = clean.shape
        draws = Draws(generator, clean.device)
        rain = streaks(batch, height, width, generator).to(clean.device)
        if self.pairs is not None:
            taken = _layers(self.pairs, self.held_out, self.set_shares).crop(batch, height, width, draws)
            rain = torch.where(
                draws.chosen(self.drawn_share, batch), rain, taken * draws.uniform(self.gain, batch, 1, 1, 1)
            )
        rain = rain.masked_fill(draws.chosen(self.clean_share, batch), 0.0)
        veil = draws.uniform(self.veil, batch, 1, 1, 1) * (
            draws.chosen(self.veil_share, batch) & (rain.amax((1, 2, 3), True) > 0)
        )
        return ((1 - veil) * clean + veil * 0.85 + rain).clamp(0, 1), clean


def _is_share(pair: object) -> bool:
    """Whether this is a name with a share above 0: as a recipe may have written anything there."""
    match pair:
        case (str(), int() | float() as share):
            return 0 < share < math.inf
    return False


@dataclass(frozen=True)
class LayerBank:
    """Layers (N, side, side) uint8, each in its top left corner, with their (N, 2) sizes and (N,) probabilities."""

    layers: Tensor
    sizes: Tensor
    probabilities: Tensor

    def crop(self, batch: int, height: int, width: int, draws: Draws) -> Tensor:
        """Draw (B, 1, height, width) pieces in 0..1, mirrored at random, never turned: rain falls."""
        if height > self.sizes[:, 0].min() or width > self.sizes[:, 1].min():
            raise DegradationError(
                f"a {height}x{width} crop is larger than the smallest rain layer, {self.sizes.amin(0).tolist()}"
            )
        cumulated = self.probabilities.cumsum(0).to(draws.device)
        which = torch.searchsorted(cumulated, draws.unit(batch)).clamp(max=len(cumulated) - 1)
        room = self.sizes.to(draws.device)[which] - torch.tensor([height, width], device=draws.device) + 1
        top, left = (draws.unit(batch, 2) * room).long().unbind(-1)
        rows = top[:, None, None] + torch.arange(height, device=draws.device)[:, None]
        columns = left[:, None, None] + torch.arange(width, device=draws.device)
        pieces = self.layers.to(draws.device)[which[:, None, None], rows, columns].unsqueeze(1).float() / 255
        return torch.where(draws.chosen(0.5, batch), pieces.flip(-1), pieces)


@cache
def _layers(folder: Path, held_out: tuple[str, ...], shares: tuple[tuple[str, float], ...]) -> LayerBank:
    """Read every layer of the pairs that is not held out."""
    pairs = [pair for pair in read_pairs(folder) if pair.name not in held_out and pair.set in dict(shares)]
    if not pairs:
        raise DegradationError(f"no rainy pairs of {', '.join(dict(shares))} in {folder}")
    layers = [_layer(pair.rainy, pair.clean) for pair in pairs]
    side = max(max(layer.shape) for layer in layers)
    stack = np.stack([np.pad(layer, [(0, side - layer.shape[0]), (0, side - layer.shape[1])]) for layer in layers])
    counts = {name: sum(pair.set == name for pair in pairs) for name in dict(shares)}
    weights = torch.tensor([dict(shares)[pair.set] / counts[pair.set] for pair in pairs])
    sizes = torch.tensor([layer.shape for layer in layers])
    return LayerBank(torch.from_numpy(stack), sizes, weights / weights.sum())


def _layer(rainy: Path, clean: Path) -> NDArray[np.uint8]:
    """The rain alone, (H, W) uint8: of three channels, the one that was clipped least."""
    difference = read_8bit(rainy).astype(np.int16) - read_8bit(clean)
    layer: NDArray[np.uint8] = difference.max(-1).clip(0, 255).astype(np.uint8)
    return layer
