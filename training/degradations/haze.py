"""Haze: light lost on the way from the scene and light added by the air."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.degradations.colour import as_file
from training.degradations.depth import scene_depth
from training.degradations.draws import Draws
from training.degradations.ranges import Range, check_range, check_shares


@dataclass(frozen=True)
class Haze:
    """Uniform haze over made-up depth, made on sRGB values as RESIDE's is (Li et al., 2019), so that SOTS is its kin.

    Attributes:
        thickness: optical depth of the farthest point (scattering times distance), uniform; RESIDE scatters 0.6 to 1.8
            per unit of its depth.
        nearness: optical depth of the nearest point as a share of the farthest's, uniform.
        airlight: brightness of the air, uniform.
        tint: largest distance of a channel's airlight from the grey one.
    """

    thickness: Range = (0.3, 2.2)
    nearness: Range = (0.0, 0.4)
    airlight: Range = (0.6, 1.0)
    tint: float = 0.05

    def __post_init__(self) -> None:
        check_range("thickness", self.thickness, 0, 20)
        check_range("nearness", self.nearness, 0, 1)
        check_range("airlight", self.airlight, 0, 1)
        check_range("tint", (0.0, self.tint), 0, 1)
        check_shares(self)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (hazy, clean) of sRGB pictures (B, 3, H, W) in 0..1; the hazy ones in 8-bit steps."""
        draw = Draws(generator, clean.device)
        hazy = veil(clean, self.transmission(draw, scene_depth(draw, clean)), self.air(draw, len(clean)))
        return as_file(hazy), clean

    def transmission(self, draw: Draws, depth: Tensor) -> Tensor:
        """Share of light that arrives, (B, 1, H, W) in 0..1, from depth 0..1 (Koschmieder: t = exp(-beta d))."""
        batch = len(depth)
        near = draw.uniform(self.nearness, batch, 1, 1, 1)
        return torch.exp(-draw.uniform(self.thickness, batch, 1, 1, 1) * (near + (1 - near) * depth))

    def air(self, draw: Draws, batch: int) -> Tensor:
        """Draw the colour of the air, (B, 3, 1, 1) in 0..1."""
        tint = draw.uniform((-self.tint, self.tint), batch, 3, 1, 1)
        return (draw.uniform(self.airlight, batch, 1, 1, 1) + tint).clamp(0.0, 1.0)


def veil(clean: Tensor, transmission: Tensor, air: Tensor) -> Tensor:
    """Koschmieder's law (1924; He et al., "Single Image Haze Removal", 2009, equation 1): I = J t + A (1 - t)."""
    return clean * transmission + air * (1 - transmission)
