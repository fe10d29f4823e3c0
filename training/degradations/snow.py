"""Falling snow: flakes of every size, near ones large and blurred, behind them a veil."""

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
class Snow:
    """Flakes that cover the scene, and a veil of snow too far off to be seen as flakes.

    I = K (1 - z) + a z, z the opacity of the flakes and a their colour (Liu et al., "DesnowNet", 2018, equation 1),
    where K is the veiled scene. Three sizes fall at once, each drawn as short segments of wide profile; the largest
    are the rarest.

    Attributes:
        density: expected small flakes per pixel; middle ones are 5 and large ones 40 times rarer.
        size_px: profile (standard deviation) of the small flakes; middle ones are 2 and large ones 4.5 times as wide.
        motion_px: path of a small flake during exposure; larger ones, which are nearer, move farther in proportion.
        angle_deg: wind, degrees from the vertical.
        opacity: of the brightest flakes, before their profile is steepened: their middle hides 1.6 times as much of
            the scene, 0.97 at most.
        veil: depth, thickness and colour of the veil.
    """

    density: Range = (1e-3, 1.5e-2)
    size_px: Range = (0.6, 1.2)
    motion_px: Range = (1.0, 6.0)
    angle_deg: Range = (-50.0, 50.0)
    opacity: Range = (0.5, 1.0)
    veil: Haze = field(default_factory=lambda: Haze(thickness=(0.0, 0.7), airlight=(0.75, 1.0), tint=0.03))

    def __post_init__(self) -> None:
        check_range("density", self.density, 1e-6, 0.1)
        check_range("size_px", self.size_px, 0.5, 10)
        check_range("motion_px", self.motion_px, 0.5, 50)
        check_range("angle_deg", self.angle_deg, -90, 90)
        check_range("opacity", self.opacity, 0, 1)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (snowy, clean) of sRGB pictures (B, 3, H, W) in 0..1; the snowy ones in 8-bit steps."""
        draw = Draws(generator, clean.device)
        batch, _, height, width = clean.shape
        transmission = self.veil.transmission(draw, scene_depth(draw, clean))
        behind = veil(clean, transmission, self.veil.air(draw, batch))
        flakes = self.flakes(generator, batch, height, width).to(clean.device)
        white = draw.uniform((0.87, 0.98), batch, 1, 1, 1) + draw.uniform((-0.02, 0.02), batch, 3, 1, 1)
        return as_file(behind * (1 - flakes) + white * flakes), clean

    def flakes(self, generator: torch.Generator, batch: int, height: int, width: int) -> Tensor:
        """Draw the opacity of all flakes, (B, 1, height, width) in 0..1, on the generator's device."""
        clear = torch.ones(batch, 1, height, width, device=generator.device)
        for rarity, size in ((1, 1.0), (5, 2.0), (40, 4.5)):
            flakes = streaks(
                batch,
                height,
                width,
                generator,
                density=_scaled(self.density, 1 / rarity),
                length_px=_scaled(self.motion_px, size),
                angle_deg=self.angle_deg,
                width_px=_scaled(self.size_px, size),
                strength=self.opacity,
                layers=1,
            )
            # Steeper than the Gaussian it is drawn with: a flake has a flat middle and a soft rim.
            clear = clear * (1 - (1.6 * flakes).clamp_max(0.97))
        return 1 - clear


def _scaled(limits: Range, factor: float) -> Range:
    return limits[0] * factor, limits[1] * factor
