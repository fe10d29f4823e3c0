"""What a Bayer sensor sees of a picture: one colour per pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.degradations.colour import as_file
from training.degradations.draws import Draws
from training.degradations.ranges import DegradationError, Range, check_range, check_shares

PHASES = {"rggb": (0, 0), "grbg": (0, 1), "gbrg": (1, 0), "bggr": (1, 1)}
"""Each pattern is RGGB begun this many rows and columns later: mosaic[dy:, dx:] of an RGGB mosaic has that pattern."""


def bayer_planes(height: int, width: int, pattern: str = "rggb", *, device: torch.device | None = None) -> Tensor:
    """Sampling planes (3, height, width) of R, G, B: 1 where the pattern has that colour, else 0; they sum to one.

    `pattern` names the colours of the first 2x2 pixels, row by row. Raises DegradationError for an unknown one.
    """
    if pattern not in PHASES:
        raise DegradationError(f"pattern must be one of {', '.join(PHASES)}, not {pattern!r}")
    down, right = PHASES[pattern]
    row = (torch.arange(height, device=device) + down)[:, None] % 2
    column = (torch.arange(width, device=device) + right)[None, :] % 2
    return torch.stack(((row + column == 0), (row != column), (row + column == 2))).float()


@dataclass(frozen=True)
class Mosaic:
    """A Bayer mosaic of sRGB values, as the benchmarks of demosaicing have it (Gharbi et al., 2016); some are noisy.

    A network learns one pattern; the others are the same mosaic shifted by a pixel (`PHASES`).

    Attributes:
        pattern: colours of the first 2x2 pixels, row by row.
        sigma: deviation of white Gaussian noise in 8-bit steps, uniform over the noisy pictures.
        noisy_share: share of pictures with noise; the others have none.
    """

    pattern: str = "rggb"
    sigma: Range = (0.0, 20.0)
    noisy_share: float = 0.5

    def __post_init__(self) -> None:
        check_range("sigma", self.sigma, 0, 255)
        check_shares(self)
        bayer_planes(2, 2, self.pattern)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (mosaic (B, 1, H, W) in 8-bit steps, clean) of sRGB pictures (B, 3, H, W) in 0..1."""
        draw = Draws(generator, clean.device)
        batch, _, height, width = clean.shape
        planes = bayer_planes(height, width, self.pattern, device=clean.device)
        sigma = draw.uniform(self.sigma, batch, 1, 1, 1) * draw.chosen(self.noisy_share, batch) / 255.0
        mosaic = (clean * planes).sum(dim=1, keepdim=True)
        return as_file(mosaic + sigma * draw.normal(*mosaic.shape)), clean
