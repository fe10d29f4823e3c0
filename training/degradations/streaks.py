"""Rain and snow in motion: bright line segments of Gaussian profile, drawn by one Fourier product per layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from training.degradations.draws import Draws
from training.degradations.ranges import Range


def streaks(
    batch: int,
    height: int,
    width: int,
    generator: torch.Generator,
    *,
    density: Range = (2e-4, 4e-3),
    length_px: Range = (6.0, 40.0),
    angle_deg: Range = (-35.0, 35.0),
    width_px: Range = (0.6, 1.4),
    strength: Range = (0.1, 0.6),
    layers: int = 2,
) -> Tensor:
    """Draw additive grey rain: (B, 1, height, width) float32 in 0..1 on the generator's device; a seed fixes it all.

    The benchmark rain is made so: sparse noise filtered by a line of motion (Garg & Nayar, "Photorealistic Rendering of
    Rain Streaks", 2006; Yang et al., "Deep Joint Rain Detection and Removal", 2017). A picture has one wind; each of
    its `layers` has streaks of one length and width. The layer is circular: a streak that leaves at one side comes back
    at the other.

    Args:
        batch: pictures.
        height: rows.
        width: columns.
        generator: the source of randomness, its device the layer's device.
        density: expected streaks per pixel, all layers together; log-uniform.
        length_px: length of a segment in pixels, log-uniform per layer.
        angle_deg: the wind per picture: degrees from the vertical, positive leans the upper end to the left; a layer
            strays up to 4 degrees from it.
        width_px: standard deviation of the profile across a streak, in pixels, per layer; below 0.5 it rings.
        strength: brightness of a picture's brightest streaks at their core; each streak has 0.3 to 1 of it.
        layers: layers per picture.
    """
    draw = Draws(generator, generator.device)
    per_layer = (batch, layers, 1, 1)
    angle = draw.uniform(angle_deg, batch, 1, 1, 1) + draw.uniform((-4.0, 4.0), *per_layer)
    kernel = _segment_spectrum(
        height,
        width,
        length=draw.log_uniform(length_px, *per_layer),
        sigma=draw.uniform(width_px, *per_layer),
        angle=torch.deg2rad(angle),
    )
    share = draw.uniform((0.2, 1.0), *per_layer)
    share = share / share.sum(dim=1, keepdim=True)
    chance = draw.log_uniform(density, batch, 1, 1, 1) * share

    noise = draw.unit(batch, layers, height, width)
    # One draw decides twice: noise below `chance` starts a streak, and noise / chance, uniform then, is its brightness.
    seeds = torch.where(noise < chance, 0.3 + 0.7 * noise / chance, 0.0)
    layer = torch.fft.irfft2((torch.fft.rfft2(seeds) * kernel).sum(dim=1, keepdim=True), s=(height, width))
    drawn: Tensor = layer * draw.uniform(strength, batch, 1, 1, 1)
    return drawn.clamp(0.0, 1.0)


def _segment_spectrum(height: int, width: int, *, length: Tensor, sigma: Tensor, angle: Tensor) -> Tensor:
    """Spectrum (..., height, width // 2 + 1) of a segment blurred by a Gaussian, peak 1, centred on the origin.

    A segment's transform is a sinc along it and constant across it; the Gaussian gives it its profile and round ends
    and keeps the sinc's ripples out. `length`, `sigma` (pixels) and `angle` (radians from the vertical): (..., 1, 1).
    """
    vertical = torch.fft.fftfreq(height, device=length.device)[:, None]
    horizontal = torch.fft.rfftfreq(width, device=length.device)
    along = vertical * torch.cos(angle) + horizontal * torch.sin(angle)
    gaussian = torch.exp(-2 * math.pi**2 * sigma**2 * (vertical**2 + horizontal**2))
    # At its middle the blurred segment of mass one reaches erf(length / (2 sqrt(2) sigma)) / (length sqrt(2 pi) sigma).
    mass = length * math.sqrt(2 * math.pi) * sigma / torch.erf(length / (2 * math.sqrt(2) * sigma))
    return mass * torch.sinc(length * along) * gaussian
