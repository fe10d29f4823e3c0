"""From features to a picture: the reconstruction tails that the networks share, and their convolution."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

Tail = Literal["conv", "pixelshuffle", "pixelshuffledirect", "nearest+conv"]


class Conv2d(nn.Conv2d):
    """A convolution over (B, H, W, C): the same weights and keys as `nn.Conv2d`, in the layout of the transformer.

    The (B, C, H, W) view of a contiguous (B, H, W, C) map is `channels_last`, so nothing is copied.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, H, W, in_channels) to (B, H', W', out_channels)."""
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class PixelShuffle(nn.Module):
    """(B, H, W, s*s*C) to (B, s*H, s*W, C); channels are ordered (C, s, s), as in `nn.PixelShuffle`."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Spread groups of s*s channels over s x s pixels."""
        return F.pixel_shuffle(x.permute(0, 3, 1, 2), self.scale).permute(0, 2, 3, 1)


def upsampler(channels: int, scale: int) -> nn.Sequential:
    """Convolutions and pixel shuffles that enlarge `scale` times (a power of two in steps of two, or 3)."""
    if scale == 3:
        steps = [3]
    elif scale > 1 and scale & (scale - 1) == 0:
        steps = [2] * (scale.bit_length() - 1)
    else:
        raise ValueError(f"scale {scale} is neither 3 nor a power of two above 1")
    layers: list[nn.Module] = []
    for step in steps:
        layers += [Conv2d(channels, step * step * channels, 3, padding=1), PixelShuffle(step)]
    return nn.Sequential(*layers)


def tail(kind: Tail, dim: int, out_channels: int, scale: int, features: int = 64) -> nn.Sequential:
    """Return the module that turns features (B, H, W, dim) into a picture (B, scale*H, scale*W, out_channels).

    Raises ValueError where the kind cannot reach the scale.
    """
    if kind == "conv":
        if scale != 1:
            raise ValueError(f"tail 'conv' keeps the size; scale is {scale}")
        return nn.Sequential(Conv2d(dim, out_channels, 3, padding=1))
    if kind == "pixelshuffledirect":
        return nn.Sequential(Conv2d(dim, scale * scale * out_channels, 3, padding=1), PixelShuffle(scale))
    before = (Conv2d(dim, features, 3, padding=1), nn.LeakyReLU(0.01))
    last = Conv2d(features, out_channels, 3, padding=1)
    if kind == "pixelshuffle":
        return nn.Sequential(*before, *upsampler(features, scale), last)
    if scale != 4:
        raise ValueError(f"tail 'nearest+conv' enlarges 4 times; scale is {scale}")
    layers: list[nn.Module] = []
    for _ in range(2):
        layers += [Nearest(2), Conv2d(features, features, 3, padding=1), nn.LeakyReLU(0.2)]
    return nn.Sequential(*before, *layers, Conv2d(features, features, 3, padding=1), nn.LeakyReLU(0.2), last)


class Nearest(nn.Module):
    """Repeat every pixel of (B, H, W, C) `scale` times along both axes."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, scale*H, scale*W, C)."""
        x = F.interpolate(x.permute(0, 3, 1, 2), scale_factor=float(self.scale), mode="nearest")
        return x.permute(0, 2, 3, 1)
