"""All that denoising meets in one batch: each picture has white noise, a camera's, or none."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.degradations.camera import CameraNoise
from training.degradations.draws import Draws
from training.degradations.noise import GaussianNoise
from training.degradations.ranges import DegradationError, check_shares


@dataclass(frozen=True)
class MixedNoise:
    """One kind of noise per picture, the choice of each picture independent.

    Attributes:
        gaussian: white noise, the benchmark's; pictures that neither share below takes have it.
        camera: shot and read noise, developed and perhaps saved as JPEG; what photographs really have.
        camera_share: share of pictures with a camera's noise.
        clean_share: share of pictures that are clean and stay so ("do no harm").
    """

    gaussian: GaussianNoise = field(default_factory=GaussianNoise)
    camera: CameraNoise = field(default_factory=CameraNoise)
    camera_share: float = 0.4
    clean_share: float = 0.05

    def __post_init__(self) -> None:
        check_shares(self)
        if (total := self.camera_share + self.clean_share) > 1 + 1e-9:
            raise DegradationError(f"camera_share and clean_share must not exceed 1 together, not {total:g}")

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (noisy, target) of sRGB pictures (B, 3, H, W) in 0..1; a target is grey where its noisy picture is."""
        noisy, target = self.gaussian(clean, generator)
        lot = Draws(generator, clean.device).unit(len(clean))
        developed = (lot < self.camera_share).nonzero().flatten()
        if len(developed):
            noisy[developed], target[developed] = self.camera(clean[developed], generator)
        unharmed = ((lot >= self.camera_share) & (lot < self.camera_share + self.clean_share)).nonzero().flatten()
        noisy[unharmed] = target[unharmed]
        return noisy, target
