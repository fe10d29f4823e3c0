"""Additive white Gaussian noise, blind: the benchmark of denoising."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.degradations.colour import as_file, luma
from training.degradations.draws import Draws
from training.degradations.ranges import Range, check_range, check_shares


@dataclass(frozen=True)
class GaussianNoise:
    """White Gaussian noise on sRGB values, of one unknown deviation per picture (Zhang et al., "DnCNN", 2017).

    Attributes:
        sigma: deviation in 8-bit steps (25 means 25 / 255), uniform over pictures.
        clipped_share: share of pictures clipped and rounded as an 8-bit file holds them; the others keep every value,
            as the papers measure.
        grey_share: share of pictures, and of their noise, that are grey (three equal channels).
    """

    sigma: Range = (0.0, 60.0)
    clipped_share: float = 0.5
    grey_share: float = 0.25

    def __post_init__(self) -> None:
        check_range("sigma", self.sigma, 0, 255)
        check_shares(self)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (noisy, clean) of sRGB pictures (B, 3, H, W) in 0..1; the clean ones grey where the noisy ones are."""
        draw = Draws(generator, clean.device)
        batch = len(clean)
        grey = draw.chosen(self.grey_share, batch)
        noise = draw.normal(*clean.shape)
        sigma = draw.uniform(self.sigma, batch, 1, 1, 1) / 255.0
        target = torch.where(grey, luma(clean), clean)
        noisy = target + sigma * torch.where(grey, noise[:, :1], noise)
        return torch.where(draw.chosen(self.clipped_share, batch), as_file(noisy), noisy), target
