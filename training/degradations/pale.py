"""Pictures that are pale by themselves: a matt print, a soft lens, a sitter before a bright wall."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.degradations.colour import as_file
from training.degradations.draws import Draws
from training.degradations.haze import veil
from training.degradations.ranges import Range, check_range


@dataclass(frozen=True)
class Pale:
    """Low contrast that is no haze: the same veil everywhere, of any colour, which is to stay.

    Haze grows with distance and is nearly grey. Where training shows none but such pictures to be pale, a network takes
    every pale one for hazy.

    Attributes:
        contrast: share of the picture's contrast that is left, uniform.
        brightness: grey that the rest is, uniform.
        tint: largest distance of a channel from that grey.
    """

    contrast: Range = (0.5, 1.0)
    brightness: Range = (0.2, 1.0)
    tint: float = 0.3

    def __post_init__(self) -> None:
        check_range("contrast", self.contrast, 0, 1)
        check_range("brightness", self.brightness, 0, 1)
        check_range("tint", (0.0, self.tint), 0, 1)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the pale pictures of sRGB pictures (B, 3, H, W) in 0..1, in 8-bit steps, as input and as target."""
        draw = Draws(generator, clean.device)
        batch = len(clean)
        tint = draw.uniform((-self.tint, self.tint), batch, 3, 1, 1)
        colour = (draw.uniform(self.brightness, batch, 1, 1, 1) + tint).clamp(0.0, 1.0)
        pale = as_file(veil(clean, draw.uniform(self.contrast, batch, 1, 1, 1), colour))
        return pale, pale
