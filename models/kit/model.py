"""KiT: KNN Local Attention for Image Restoration (Lee et al., CVPR 2022)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.kit.attention import KnnLocalAttention
from models.kit.config import CONFIGS, Config
from models.layers.resampling import Conv2d, ConvTranspose2d, PixelShuffle
from models.network import RestorationNetwork

__all__ = ["CONFIGS", "Config", "KiT"]


class KiT(RestorationNetwork):
    """A U of transformer blocks between convolutions; what it adds to the picture is the restoration."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.in_channels = self.out_channels = config.in_channels
        self.lattice = config.cell
        dims = [config.dim << level for level in range(config.levels + 1)]
        wide = [dim if config.fused else 2 * dim for dim in dims[:-1]]
        self.stem = _stem(config)
        self.down = nn.ModuleList(_blocks(config, dim, level) for level, dim in enumerate(dims[:-1]))
        self.shrink = nn.ModuleList(Conv2d(dim, 2 * dim, 4, stride=2, padding=1) for dim in dims[:-1])
        self.bottleneck = _blocks(config, dims[-1], config.levels)
        self.grow = nn.ModuleList(
            ConvTranspose2d(below, dim, 2, stride=2)
            for below, dim in zip([*wide[1:], dims[-1]], dims[:-1], strict=True)
        )
        self.fuse = nn.ModuleList(nn.Linear(2 * dim, dim) if config.fused else nn.Identity() for dim in dims[:-1])
        self.up = nn.ModuleList(_blocks(config, dim, level) for level, dim in enumerate(wide))
        self.tail = _tail(config, wide[0])
        self._initialise()

    def restore(self, x: Tensor) -> Tensor:
        """Restore (B, C, H, W); see `RestorationNetwork.restore`."""
        features = self.stem(x.permute(0, 2, 3, 1))
        skips = []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            features = blocks(features)
            skips.append(features)
            features = shrink(features)
        features = self.bottleneck(features)
        for level in reversed(range(len(skips))):
            features = self.fuse[level](torch.cat((self.grow[level](features), skips[level]), dim=-1))
            features = self.up[level](features)
        out: Tensor = x + self.tail(features).permute(0, 3, 1, 2)
        return out

    def _initialise(self) -> None:
        """Begin as the identity: the picture and nothing added."""
        last = self.tail[0] if self.config.shuffled else self.tail[-1]
        nn.init.zeros_(last.get_parameter("weight"))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        for module in self.modules():
            if isinstance(module, KnnLocalAttention):
                module.start_alike()


class Block(nn.Module):
    """x + KLA(LN(x)), then x + FFN(LN(x)) (Eq. 3 and 4)."""

    def __init__(self, dim: int, attention: KnnLocalAttention, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = attention
        self.norm2 = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, int(dim * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) to (B, H, W, dim)."""
        x = x + self.attention(self.norm1(x))
        return x + cast(Tensor, self.feed_forward(self.norm2(x)))


class FeedForward(nn.Module):
    """Linear, depthwise 3x3, linear, with GELU between (Eq. 4)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.depthwise = Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) to (B, H, W, dim)."""
        return cast(Tensor, self.fc2(F.gelu(self.depthwise(F.gelu(self.fc1(x))))))


def _blocks(config: Config, dim: int, level: int) -> nn.Sequential:
    """Blocks of one stage; level counts from the first, the bottleneck being the last."""
    attention = [
        KnnLocalAttention(
            dim,
            config.num_heads(dim),
            patch=config.patch,
            neighbours=config.bottleneck_neighbours if level == config.levels else config.neighbours,
            cell=config.cell_at(level),
            rounds=config.rounds,
            buckets=config.buckets,
            seed=place,
        )
        for place in range(config.depths[level])
    ]
    return nn.Sequential(*(Block(dim, layer, config.mlp_ratio) for layer in attention))


def _stem(config: Config) -> nn.Sequential:
    """Three convolutions to half the size: (B, H, W, C) to (B, H/2, W/2, dim)."""
    dim = config.dim
    return nn.Sequential(
        Conv2d(config.in_channels, dim, 3, stride=2, padding=1),
        nn.GELU(),
        Conv2d(dim, dim, 3, padding=1),
        nn.GELU(),
        Conv2d(dim, dim, 3, padding=1),
    )


def _tail(config: Config, dim: int) -> nn.Sequential:
    """Three convolutions back to full size: (B, H/2, W/2, dim) to (B, H, W, C)."""
    if config.shuffled:
        return nn.Sequential(Conv2d(dim, 4 * config.in_channels, 3, padding=1), PixelShuffle(2))
    return nn.Sequential(
        ConvTranspose2d(dim, config.dim, 2, stride=2),
        nn.GELU(),
        Conv2d(config.dim, config.dim, 3, padding=1),
        nn.GELU(),
        Conv2d(config.dim, config.in_channels, 3, padding=1),
    )
