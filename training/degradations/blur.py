"""Blur of a shaken camera: one random trajectory per picture, in linear light, with lights that saturate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.degradations.colour import as_file, to_linear, to_srgb
from training.degradations.convolution import convolve
from training.degradations.draws import Draws
from training.degradations.ranges import Range, check_range, check_shares

_POINTS = 96


@dataclass(frozen=True)
class MotionBlur:
    """A picture exposed while the camera moved, uniform over the picture.

    The trajectory follows Kupyn et al. ("DeblurGAN", 2018, algorithm 1, after Boracchi and Foi, "Modeling the
    performance of image restoration from motion blur", 2012): constant speed, a heading that wanders, now and then a
    jerk that turns it back. Their centripetal pull is left out: the heading is then one cumulative sum, without a loop.
    Light adds up before the sRGB curve and before clipping, so a clipped lamp, brighter than the file can say, draws a
    bright trace (Hu et al., "Deblurring Low-light Images with Light Streaks", 2014).

    Attributes:
        length_px: length of the path in pixels, uniform.
        wander_deg: deviation of the heading over the whole path, in degrees, uniform.
        jerk_share: share of pictures whose hand jerks, twice on average.
        lights_share: share of pictures whose clipped lights were brighter.
        lights_gain: how many times brighter, log-uniform.
        sigma: white Gaussian noise after the blur, in 8-bit steps, uniform.
        clean_share: share of pictures left sharp, so that the network learns to do no harm.
    """

    length_px: Range = (1.0, 32.0)
    wander_deg: Range = (0.0, 180.0)
    jerk_share: float = 0.4
    lights_share: float = 0.3
    lights_gain: Range = (1.5, 10.0)
    sigma: Range = (0.0, 3.0)
    clean_share: float = 0.1

    def __post_init__(self) -> None:
        check_range("length_px", self.length_px, 0, 200)
        check_range("wander_deg", self.wander_deg, 0, 1080)
        check_range("lights_gain", self.lights_gain, 1, 100)
        check_range("sigma", self.sigma, 0, 255)
        check_shares(self)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (blurred, clean) of sRGB pictures (B, 3, H, W) in 0..1; the blurred ones in 8-bit steps."""
        draw = Draws(generator, clean.device)
        batch = len(clean)
        # The mean of a path of length L is at most L / 2 from any of its points; one more pixel for interpolation.
        kernels = rasterise(self.trajectories(draw, batch), radius=math.ceil(self.length_px[1] / 2) + 1)
        gain = draw.log_uniform(self.lights_gain, batch, 1, 1, 1)
        light = stretch_lights(to_linear(clean), torch.where(draw.chosen(self.lights_share, batch), gain, 1.0))
        sigma = draw.uniform(self.sigma, batch, 1, 1, 1) / 255.0
        (exposed,) = convolve(light, kernels[:, None])
        blurred = as_file(to_srgb(exposed) + sigma * draw.normal(*clean.shape))
        return torch.where(draw.chosen(self.clean_share, batch), clean, blurred), clean

    def trajectories(self, draw: Draws, batch: int) -> Tensor:
        """Draw paths (B, points, 2): (down, right) in pixels, equally spaced in time, their mean at the origin."""
        per_step = draw.uniform(self.wander_deg, batch, 1) * (math.pi / 180 / math.sqrt(_POINTS))
        turns = per_step * draw.normal(batch, _POINTS)
        turns[:, 0] = draw.uniform((0.0, 2 * math.pi), batch)
        jerked = (draw.unit(batch, _POINTS) < 2 / _POINTS) & draw.chosen(self.jerk_share, batch)[..., 0, 0]
        heading = torch.cumsum(turns + jerked * draw.uniform((math.pi - 0.5, math.pi + 0.5), batch, _POINTS), dim=1)
        steps = torch.stack((heading.sin(), heading.cos()), dim=2)
        steps *= draw.uniform(self.length_px, batch, 1, 1) / _POINTS
        path = torch.cumsum(steps, dim=1)
        return path - path.mean(dim=1, keepdim=True)


def rasterise(paths: Tensor, *, radius: int) -> Tensor:
    """Kernels (B, 2 radius + 1, 2 radius + 1), each of sum one: points (B, T, 2) spread bilinearly."""
    grid = torch.arange(-radius, radius + 1, device=paths.device)
    rows, columns = (1 - (paths[..., None] - grid).abs()).clamp_min(0.0).unbind(dim=2)
    return rows.transpose(1, 2) @ columns / paths.shape[1]


def stretch_lights(light: Tensor, gain: Tensor) -> Tensor:
    """Multiply linear light (B, 3, H, W) by `gain` (B, 1, 1, 1) where it is clipped, fading in from 0.9 to 1.

    Two of the three channels must be: a lamp's are, a strongly coloured surface's are not.
    """
    red, green, blue = light.unsqueeze(2).unbind(dim=1)
    second = torch.maximum(torch.minimum(red, green), torch.minimum(torch.maximum(red, green), blue))
    clipped = ((second - 0.9) / 0.1).clamp(0.0, 1.0)
    return light * (1 + (gain - 1) * clipped)
