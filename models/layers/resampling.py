"""From features to a picture: the reconstruction tails that the networks share, and their convolution."""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from models.contamination import Chain, Down, Up

Tail = Literal["conv", "pixelshuffle", "pixelshuffledirect", "nearest+conv"]


class Conv2d(nn.Conv2d):
    """A convolution over (B, H, W, C): the same weights and keys as `nn.Conv2d`, in the layout of the transformer.

    The (B, C, H, W) view of a contiguous (B, H, W, C) map is `channels_last`, so nothing is copied.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, H, W, in_channels) to (B, H', W', out_channels)."""
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class ConvTranspose2d(nn.ConvTranspose2d):
    """A transposed convolution over (B, H, W, C)."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve (B, H, W, in_channels) to (B, stride * H, stride * W, out_channels)."""
        return super().forward(x.permute(0, 3, 1, 2), output_size).permute(0, 2, 3, 1)


class PixelShuffle(nn.Module):
    """(B, H, W, s*s*C) to (B, s*H, s*W, C); channels are ordered (C, s, s), as in `nn.PixelShuffle`."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.chain: Chain = (Up(scale),)

    def forward(self, x: Tensor) -> Tensor:
        """Spread groups of s*s channels over s x s pixels."""
        return F.pixel_shuffle(x.permute(0, 3, 1, 2), self.scale).permute(0, 2, 3, 1)


class PixelUnshuffle(nn.Module):
    """The inverse of `PixelShuffle`: (B, s*H, s*W, C) to (B, H, W, s*s*C)."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.chain: Chain = (Down(scale),)

    def forward(self, x: Tensor) -> Tensor:
        """Fold s x s pixels into channels."""
        return F.pixel_unshuffle(x.permute(0, 3, 1, 2), self.scale).permute(0, 2, 3, 1)


def tail(kind: Tail, dim: int, out_channels: int, scale: int, features: int = 64) -> nn.Sequential:
    """Return the module that turns features (B, H, W, dim) into a picture (B, scale*H, scale*W, out_channels).

    Raises ValueError where the kind cannot reach the scale. `scale` is a power of two, in steps of two, or 3.
    """
    layers: dict[str, nn.Module] = {}
    if kind in ("pixelshuffle", "nearest+conv"):
        layers |= {"before": Conv2d(dim, features, 3, padding=1), "before_act": nn.LeakyReLU(0.01)}
    if kind == "pixelshuffle":
        for index, step in enumerate(_steps(scale)):
            layers[f"up{2 * index}"] = Conv2d(features, step * step * features, 3, padding=1)
            layers[f"shuffle{index}"] = PixelShuffle(step)
    elif kind == "pixelshuffledirect":
        return nn.Sequential(
            OrderedDict(up0=Conv2d(dim, scale * scale * out_channels, 3, padding=1), shuffle0=PixelShuffle(scale))
        )
    elif kind == "nearest+conv":
        _check_scale(kind, scale, 4)
        for step in (1, 2):
            layers |= {f"nearest{step}": Nearest(2), f"up{step}": Conv2d(features, features, 3, padding=1)}
            layers[f"up{step}_act"] = nn.LeakyReLU(0.2)
        layers |= {"hr": Conv2d(features, features, 3, padding=1), "hr_act": nn.LeakyReLU(0.2)}
    else:
        _check_scale(kind, scale, 1)
    layers["last"] = Conv2d(features if layers else dim, out_channels, 3, padding=1)
    return nn.Sequential(OrderedDict(layers))


def _steps(scale: int) -> list[int]:
    if scale == 3:
        return [3]
    if scale > 1 and scale & (scale - 1) == 0:
        return [2] * (scale.bit_length() - 1)
    raise ValueError(f"scale {scale} is neither 3 nor a power of two above 1")


def _check_scale(kind: Tail, scale: int, reached: int) -> None:
    if scale != reached:
        raise ValueError(f"tail {kind!r} enlarges {reached} times; scale is {scale}")


class Nearest(nn.Module):
    """Repeat every pixel of (B, H, W, C) `scale` times along both axes."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.chain: Chain = (Up(scale),)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, scale*H, scale*W, C)."""
        x = F.interpolate(x.permute(0, 3, 1, 2), scale_factor=float(self.scale), mode="nearest")
        return x.permute(0, 2, 3, 1)
