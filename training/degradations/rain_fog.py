"""Rain far and near: streaks that fade into the fog they make."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from training.degradations.colour import as_file
from training.degradations.depth import scene_depth
from training.degradations.draws import Draws
from training.degradations.haze import Haze, veil
from training.degradations.ranges import Range, check_range
from training.degradations.streaks import streaks


@dataclass(frozen=True)
class RainFog:
    """Rain streaks and fog by depth, after Hu et al. ("Depth-attentional Features for Rain Removal", 2019).

    The scene is veiled by Koschmieder's law; streaks cover it and are seen through the fog before them. They are grey,
    brighter than the air.

    Attributes:
        fog: depth, thickness and colour of the fog.
        density: expected streaks per pixel, as `streaks` has it.
        length_px: length of a streak.
        angle_deg: wind, degrees from the vertical.
        width_px: profile across a streak.
        strength: how much of the scene a bright streak covers.
    """

    fog: Haze = field(default_factory=lambda: Haze(thickness=(0.2, 1.5), airlight=(0.5, 0.9)))
    density: Range = (5e-4, 8e-3)
    length_px: Range = (8.0, 48.0)
    angle_deg: Range = (-30.0, 30.0)
    width_px: Range = (0.6, 1.3)
    strength: Range = (0.2, 0.7)

    def __post_init__(self) -> None:
        check_range("density", self.density, 1e-6, 0.1)
        check_range("length_px", self.length_px, 1, 200)
        check_range("angle_deg", self.angle_deg, -90, 90)
        check_range("width_px", self.width_px, 0.5, 10)
        check_range("strength", self.strength, 0, 1)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (rainy, clean) of sRGB pictures (B, 3, H, W) in 0..1; the rainy ones in 8-bit steps."""
        draw = Draws(generator, clean.device)
        batch, _, height, width = clean.shape
        transmission = self.fog.transmission(draw, scene_depth(draw, clean))
        air = self.fog.air(draw, batch)
        rain = streaks(
            batch,
            height,
            width,
            generator,
            density=self.density,
            length_px=self.length_px,
            angle_deg=self.angle_deg,
            width_px=self.width_px,
            strength=self.strength,
            layers=3,
        ).to(clean.device)
        # A streak hangs somewhere before the scene: half of the way's fog lies before it.
        seen = rain * transmission.sqrt()
        foggy = veil(clean, transmission, air)
        return as_file(foggy * (1 - seen) + seen * (0.5 + 0.5 * air)), clean
