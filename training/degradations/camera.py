"""Noise as a camera makes it: in the raw mosaic, then developed with the picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.degradations.colour import as_file, to_linear, to_srgb
from training.degradations.draws import Draws
from training.degradations.jpeg import compress
from training.degradations.mosaic import bayer_planes
from training.degradations.ranges import Range, check_range, check_shares


@dataclass(frozen=True)
class CameraNoise:
    """Shot and read noise of a Bayer sensor, developed to sRGB.

    The picture is taken back to raw light (Brooks et al., "Unprocessing Images for Learned Raw Denoising", 2019): sRGB
    curve, colour matrix, white balance and digital gain undone. Each photosite gets the normal approximation of Poisson
    and Gaussian noise, variance shot * light + read (Foi et al., "Practical Poissonian-Gaussian noise modeling", 2008),
    with Brooks' relation between the two. The noise alone is demosaiced bilinearly, so that the target stays the
    picture itself; then everything is developed again. Brooks' tone curve is left out.

    Attributes:
        shot: variance per unit of light, raw 0..1; log-uniform. Brooks' cameras: 1e-4 (base ISO) to 0.012.
        red_gain: white balance of red over green.
        blue_gain: white balance of blue over green.
        digital_gain: brightening of all three.
        crosstalk: how much of the other two channels the colour matrix takes away, both together at most.
        jpeg_share: share of pictures that are saved as JPEG 4:2:0 after development.
        jpeg_quality: quality of those.
    """

    shot: Range = (1e-4, 0.012)
    red_gain: Range = (1.9, 2.4)
    blue_gain: Range = (1.5, 1.9)
    digital_gain: Range = (1.0, 1.5)
    crosstalk: Range = (0.05, 0.4)
    jpeg_share: float = 0.3
    jpeg_quality: Range = (75.0, 98.0)

    def __post_init__(self) -> None:
        check_range("shot", self.shot, 1e-8, 1)
        for name in ("red_gain", "blue_gain", "digital_gain"):
            check_range(name, getattr(self, name), 1, 8)
        check_range("crosstalk", self.crosstalk, 0, 0.45)
        check_range("jpeg_quality", self.jpeg_quality, 1, 100)
        check_shares(self)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (noisy, clean) of sRGB pictures (B, 3, H, W) in 0..1; the noisy ones clipped and in 8-bit steps."""
        draw = Draws(generator, clean.device)
        batch, _, height, width = clean.shape
        develop = self._colour_matrices(draw, batch)
        light = to_linear(clean)
        raw = (torch.linalg.inv(develop) @ light.flatten(2)).view_as(light).clamp(0.0, 1.0)
        sites = bayer_planes(height, width, device=clean.device)
        shot = draw.log_uniform(self.shot, batch, 1, 1, 1)
        # Brooks et al., section 3.1: log read = 2.18 log shot + 1.20 + N(0, 0.26).
        read = (2.18 * shot.log() + 1.20 + 0.26 * draw.normal(batch, 1, 1, 1)).exp()
        deviation = (shot * (raw * sites).sum(dim=1, keepdim=True) + read).sqrt()
        noise = _demosaic(deviation * draw.normal(batch, 1, height, width) * sites)
        noisy = as_file(to_srgb(light + (develop @ noise.flatten(2)).view_as(light)))
        quality = draw.uniform(self.jpeg_quality, batch).round()
        saved = draw.chosen(self.jpeg_share, batch).flatten().nonzero().flatten()
        if len(saved):
            noisy[saved] = compress(noisy[saved], quality[saved], subsampled=torch.ones_like(saved, dtype=torch.bool))
        return noisy, clean

    def _colour_matrices(self, draw: Draws, batch: int) -> Tensor:
        """Matrices (B, 3, 3) from raw to linear sRGB light: white balance, gain, a matrix of rows that sum to one.

        With off-diagonal entries <= 0 its inverse has none below zero, so raw light stays within 0..1.
        """
        taken = draw.uniform(self.crosstalk, batch, 3, 3) / 2 * (1 - torch.eye(3, device=draw.device))
        matrix = torch.eye(3, device=draw.device) + torch.diag_embed(taken.sum(dim=2)) - taken
        ones = torch.ones(batch, device=draw.device)
        gains = torch.stack(
            (draw.uniform(self.red_gain, batch), ones, draw.uniform(self.blue_gain, batch)), dim=1
        ) * draw.uniform(self.digital_gain, batch, 1)
        return matrix * gains[:, None, :]


def _demosaic(planes: Tensor) -> Tensor:
    """Fill (B, 3, H, W) planes, zero off their own sites, by bilinear interpolation."""
    # Sums of neighbours: several times faster on a CPU than a depthwise convolution.
    padded = F.pad(planes, (1, 1, 1, 1), mode="reflect")
    across = padded[..., :-2] + padded[..., 2:]
    middle = 2 * padded[..., 1:-1] + across
    square = (middle[..., :-2, :] + 2 * middle[..., 1:-1, :] + middle[..., 2:, :]) / 4
    green = padded[:, 1:2, :, 1:-1]
    square[:, 1:2] = planes[:, 1:2] + (green[..., :-2, :] + green[..., 2:, :] + across[:, 1:2, 1:-1]) / 4
    return square
