"""IPT-V2: Efficient Image Processing Transformer using Hierarchical Attentions (Tu et al.), the assembly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.ipt_v2.attention import FocalContextAttention, GlobalGridAttention
from models.ipt_v2.feed_forward import RepLeFFN
from models.network import RestorationNetwork


@dataclass(frozen=True)
class Config:
    """Geometry of one IPT-V2; pixels are image pixels.

    Attributes:
        embed_dim: channels of the first level; every level doubles them.
        depths: transformer layers per level; the last level is the bottleneck, the others come twice.
        num_heads: attention heads per level.
        refinement: layers after the decoder, at twice embed_dim.
        grid: side g of GGSA's grid.
        window: side of FCSA's windows.
        cell: side of GGSA's cells, the trained size; 0 stretches one grid over the whole picture, as the paper does.
        stem: side of the pixel blocks folded into channels before the first level (1 in the paper).
        channels: channels of the picture.
    """

    embed_dim: int = 32
    depths: tuple[int, ...] = (4, 6, 6, 8)
    num_heads: tuple[int, ...] = (1, 2, 4, 8)
    refinement: int = 0
    grid: int = 8
    window: int = 32
    cell: int = 256
    stem: int = 1
    channels: int = 3

    def __post_init__(self) -> None:
        coarsest = self.stem * 2 ** (len(self.depths) - 1)
        if len(self.depths) != len(self.num_heads):
            raise ValueError(f"{len(self.depths)} levels of layers but {len(self.num_heads)} of heads")
        if self.window % (2 * coarsest):
            raise ValueError(f"a window of {self.window} pixels has no half at 1/{coarsest} of the size")
        if self.cell % (self.grid * coarsest) or self.cell % self.window:
            raise ValueError(
                f"a cell of {self.cell} pixels does not hold a grid of {self.grid} at 1/{coarsest} of the size"
            )


CONFIGS = {
    "small": Config(),
    "base": Config(embed_dim=48, refinement=4, grid=16),
    "base_plus": Config(embed_dim=48, depths=(6, 8, 8, 10), refinement=6, grid=16),
    # Ours, for two CPU cores: half resolution throughout, three levels (docs/adr/0003).
    "tiny": Config(embed_dim=24, depths=(2, 2, 4), num_heads=(1, 2, 4), cell=128, stem=2),
}


class IPTV2(RestorationNetwork):
    """The U-shaped network: focal and global layers by turns, skips concatenated, the picture added at the end."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.in_channels = self.out_channels = config.channels
        levels = len(config.depths)
        coarsest = config.stem * 2 ** (levels - 1)
        self.lattice = config.cell or max(config.grid * coarsest, config.window)
        dims = [config.embed_dim * 2**level for level in range(levels)]
        folded = config.channels * config.stem**2
        self.stem = Conv3x3(folded, dims[0])
        self.encoders = nn.ModuleList(_layers(config, level, dims[level]) for level in range(levels))
        self.downs = nn.ModuleList(Down(dim) for dim in dims[:-1])
        self.ups = nn.ModuleList(Up(dim) for dim in dims[1:])
        # Skips are reduced everywhere but at the first level, which goes on at twice its channels.
        self.reduces = nn.ModuleList(
            nn.Linear(2 * dim, dim, bias=False) if level else nn.Identity() for level, dim in enumerate(dims[:-1])
        )
        self.decoders = nn.ModuleList(
            _layers(config, level, dim if level else 2 * dim) for level, dim in enumerate(dims[:-1])
        )
        self.refinement = _layers(config, 0, 2 * dims[0], config.refinement)
        self.head = Conv3x3(2 * dims[0], folded)
        nn.init.zeros_(self.head.weight)  # an untrained network answers with the picture itself

    def restore(self, x: Tensor) -> Tensor:
        """Restore (B, C, H, W); see `RestorationNetwork.restore`."""
        features = self.stem(F.pixel_unshuffle(x, self.config.stem).permute(0, 2, 3, 1))
        skips = []
        for encoder, down in zip(self.encoders[:-1], self.downs, strict=True):
            features = encoder(features)
            skips.append(features)
            features = down(features)
        features = self.encoders[-1](features)
        for level in reversed(range(len(skips))):
            features = torch.cat([self.ups[level](features), skips[level]], dim=-1)
            features = self.decoders[level](self.reduces[level](features))
        residual = self.head(self.refinement(features)).permute(0, 3, 1, 2)
        return x + F.pixel_shuffle(residual, self.config.stem)


class Layer(nn.Module):
    """One transformer layer on (B, H, W, C), pre-norm; LayerNorm has a weight and no bias."""

    def __init__(self, channels: int, attention: nn.Module) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, bias=False)
        self.attention = attention
        self.norm2 = nn.LayerNorm(channels, bias=False)
        self.feed_forward = RepLeFFN(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Eq. 1: one half of a focal-global block."""
        x = x + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))  # type: ignore[no-any-return]


def _layers(config: Config, level: int, channels: int, depth: int | None = None) -> nn.Sequential:
    """The layers of one level: focal and global by turns."""
    heads, step = config.num_heads[level], config.stem * 2**level
    return nn.Sequential(
        *(
            Layer(
                channels,
                GlobalGridAttention(channels, heads, config.grid, config.cell // step)
                if index % 2
                else FocalContextAttention(channels, heads, config.window // step),
            )
            for index in range(config.depths[level] if depth is None else depth)
        )
    )


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution without bias on (B, H, W, C)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, H, W, C)."""
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Down(nn.Module):
    """Half the size, twice the channels: 3x3 convolution to C/2, then pixel-unshuffle."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(channels, channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H/2, W/2, 2C)."""
        return F.pixel_unshuffle(self.conv(x).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


class Up(nn.Module):
    """Twice the size, half the channels: 3x3 convolution to 2C, then pixel-shuffle."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(channels, 2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, 2H, 2W, C/2)."""
        return F.pixel_shuffle(self.conv(x).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
