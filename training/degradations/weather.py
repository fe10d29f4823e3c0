"""All weathers in one batch: each picture has rain and fog, snow, drops, haze, or none."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.degradations.draws import Draws
from training.degradations.drops import Drops
from training.degradations.haze import Haze
from training.degradations.pale import Pale
from training.degradations.rain_fog import RainFog
from training.degradations.ranges import DegradationError, check_shares
from training.degradations.snow import Snow


@dataclass(frozen=True)
class Weather:
    """One weather per picture, the choice of each picture independent.

    Attributes:
        rain_fog: streaks with fog.
        snow: flakes with a veil.
        drops: drops on glass.
        haze: haze alone.
        pale: no weather, though a thin haze may look like it.
        rain_fog_share: share of pictures with rain and fog.
        snow_share: share of pictures with snow.
        drops_share: share of pictures with drops.
        haze_share: share of pictures with haze.
        pale_share: share of pictures that are pale and stay so; what the five leave to one stays clean ("do no harm").
    """

    rain_fog: RainFog = field(default_factory=RainFog)
    snow: Snow = field(default_factory=Snow)
    drops: Drops = field(default_factory=Drops)
    haze: Haze = field(default_factory=Haze)
    pale: Pale = field(default_factory=Pale)
    rain_fog_share: float = 0.26
    snow_share: float = 0.23
    drops_share: float = 0.23
    haze_share: float = 0.23
    pale_share: float = 0.0

    def __post_init__(self) -> None:
        check_shares(self)
        total = self.rain_fog_share + self.snow_share + self.drops_share + self.haze_share + self.pale_share
        if total > 1 + 1e-9:
            raise DegradationError(f"the shares of the weathers must not exceed 1 together, not {total:g}")

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (weathered, clean) of sRGB pictures (B, 3, H, W) in 0..1; the weathered ones in 8-bit steps.

        What is pale is in 8-bit steps on both sides.
        """
        draw = Draws(generator, clean.device)
        kinds = (
            (self.rain_fog, self.rain_fog_share),
            (self.snow, self.snow_share),
            (self.drops, self.drops_share),
            (self.haze, self.haze_share),
            (self.pale, self.pale_share),
        )
        weathered, target = clean.clone(), clean.clone()
        lot, low = draw.unit(len(clean)), 0.0
        for degrade, share in kinds:
            # Only the pictures that have this weather are worked on: each step costs the mean of the five, not the sum.
            where = ((lot >= low) & (lot < low + share)).nonzero().flatten()
            low += share
            if len(where):
                weathered[where], target[where] = degrade(clean[where], generator)
        return weathered, target
