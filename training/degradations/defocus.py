"""Blur of a lens out of focus: discs and polygons whose size follows the depth of the scene."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.degradations.blur import stretch_lights
from training.degradations.colour import as_file, to_linear, to_srgb
from training.degradations.convolution import convolve
from training.degradations.depth import scene_depth
from training.degradations.draws import Draws
from training.degradations.ranges import Range, check_range, check_shares

_LEVELS = (0.0, 0.25, 0.55, 1.0)
_CORNER = 1.15
"""How far a pentagon's corners reach, over the radius of the disc of its area; those of more sides reach less."""


@dataclass(frozen=True)
class Defocus:
    """A scene partly out of focus, in linear light.

    The circle of confusion grows with the distance from the plane of focus (thin lens; Potmesil and Chakravarty, 1981):
    radius = largest * |depth - focus| on a made-up depth map. Each picture is blurred at four radii and every pixel
    interpolates between the two nearest; that near objects bleed over far ones is left out.

    Attributes:
        radius_px: radius of the largest blur, in pixels, uniform; reached only where the depth allows it.
        polygon_share: share of pictures taken through 5 to 8 straight blades; the others have a round opening.
        lit_share: share of pictures whose clipped lights were four times brighter.
        sigma: white Gaussian noise after the blur, in 8-bit steps, uniform.
        clean_share: share of pictures left sharp, so that the network learns to do no harm.
    """

    radius_px: Range = (1.0, 8.0)
    polygon_share: float = 0.4
    lit_share: float = 0.2
    sigma: Range = (0.0, 2.0)
    clean_share: float = 0.07

    def __post_init__(self) -> None:
        check_range("radius_px", self.radius_px, 0, 100)
        check_range("sigma", self.sigma, 0, 255)
        check_shares(self)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (defocused, clean) of sRGB pictures (B, 3, H, W) in 0..1; the defocused ones in 8-bit steps."""
        draw = Draws(generator, clean.device)
        batch = len(clean)
        largest = draw.uniform(self.radius_px, batch)
        blades = torch.where(draw.chosen(self.polygon_share, batch).flatten(), draw.uniform((5, 9), batch).floor(), 0.0)
        radii = largest[:, None] * torch.tensor(_LEVELS[1:], device=clean.device)
        turn = draw.uniform((0.0, 2 * math.pi), batch)
        kernels = aperture(radii, blades, turn, half=reach(self.radius_px[1]))
        gain = torch.where(draw.chosen(self.lit_share, batch), 4.0, 1.0)
        light = to_linear(clean)
        blurred = convolve(stretch_lights(light, gain), kernels)

        focus = draw.uniform((-0.2, 1.0), batch, 1, 1, 1)
        level = (scene_depth(draw, clean) - focus).abs().clamp(0.0, 1.0)
        sharp, *weights = _hats(level)
        mixed = light * sharp
        for plane, weight in zip(blurred, weights, strict=True):
            mixed = torch.addcmul(mixed, plane, weight)
        sigma = draw.uniform(self.sigma, batch, 1, 1, 1) / 255.0
        defocused = as_file(to_srgb(mixed) + sigma * draw.normal(*clean.shape))
        return torch.where(draw.chosen(self.clean_share, batch), clean, defocused), clean


def reach(radius: float) -> int:
    """Whole pixels from the middle within which every opening of this radius lies, blended edges and corners too."""
    return math.floor(_CORNER * radius + 0.5)


def aperture(radii: Tensor, blades: Tensor, turn: Tensor, *, half: int) -> Tensor:
    """Kernels (B, N, 2 half + 1, 2 half + 1) of sum one: openings of radii (B, N) pixels, edges blended over a pixel.

    `blades` (B,) is the number of sides, 0 for a disc; `turn` (B,) turns the polygon, in radians. A polygon has the
    area of its disc, nearly: its corners reach a little farther and its sides come a little nearer. What is farther
    than `half` from the middle is cut off: `reach` tells what holds them whole.
    """
    offset = torch.arange(-half, half + 1, dtype=torch.float32, device=radii.device)
    distance = torch.hypot(offset[:, None], offset)
    sides = blades.clamp_min(3)[:, None, None]
    sector = 2 * math.pi / sides
    within = torch.remainder(torch.atan2(offset[:, None], offset) - turn[:, None, None], sector) - sector / 2
    # Apothem of the regular polygon whose area is that of the unit circle.
    apothem = torch.sqrt(math.pi / (sides * torch.tan(math.pi / sides)))
    boundary = torch.where(blades[:, None, None] > 0, apothem / torch.cos(within), 1.0)
    coverage = (radii[..., None, None] * boundary[:, None] - distance + 0.5).clamp(0.0, 1.0)
    return coverage / coverage.sum(dim=(2, 3), keepdim=True)


def _hats(level: Tensor) -> list[Tensor]:
    """Weights (B, 1, H, W) of each of `_LEVELS`, of sum one, that interpolate between them at `level` (B, 1, H, W)."""
    weights = []
    for here in range(len(_LEVELS)):
        weight = torch.ones_like(level)
        if here > 0:
            weight = weight.minimum((level - _LEVELS[here - 1]) / (_LEVELS[here] - _LEVELS[here - 1]))
        if here + 1 < len(_LEVELS):
            weight = weight.minimum((_LEVELS[here + 1] - level) / (_LEVELS[here + 1] - _LEVELS[here]))
        weights.append(weight.clamp_min(0.0))
    return weights
