"""KiT: KNN Local Attention for Image Restoration (Lee et al., CVPR 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from imaging.stages import PICTURE
from models.contamination import Chain
from models.kit.attention import KnnLocalAttention
from models.kit.beginning import around_grey, at_the_pictures_scale, carry_pixels
from models.kit.config import CONFIGS, Config
from models.layers.resampling import Conv2d, ConvTranspose2d, PixelShuffle, PixelUnshuffle
from models.layers.rows import added, beside, by_rows
from models.segments import Segment, SegmentedNetwork, declared

__all__ = ["CONFIGS", "Config", "KiT"]


class KiT(SegmentedNetwork):
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
        self._begin()

    def segments(self) -> Sequence[Segment]:
        """Two for each block, and those that lead from level to level; see `SegmentedNetwork.segments`."""
        segments = [Segment("stem", {PICTURE: declared(self.stem)}, self.stem)]
        skips = []
        for level, (blocks, shrink) in enumerate(zip(self.down, self.shrink, strict=True)):
            segments += _run(f"down{level}", segments[-1].name, blocks)
            skips.append(segments[-1].name)
            segments.append(Segment(f"shrink{level}", {skips[-1]: declared(shrink)}, shrink))
        segments += _run("bottleneck", segments[-1].name, self.bottleneck)
        for level in reversed(range(len(skips))):
            joined: dict[str, Chain] = {segments[-1].name: declared(self.grow[level]), skips[level]: ()}
            segments.append(Segment(f"fuse{level}", joined, partial(_join, self.grow[level], self.fuse[level])))
            segments += _run(f"up{level}", segments[-1].name, self.up[level])
        last: dict[str, Chain] = {PICTURE: (), segments[-1].name: declared(self.tail)}
        return [*segments, Segment("restored", last, lambda picture, features: picture + self.tail(features))]

    def _begin(self) -> None:
        at_the_pictures_scale(self)
        for module in self.modules():
            if isinstance(module, KnnLocalAttention):
                module.start_alike()
        first = next(module for module in self.stem if isinstance(module, nn.Conv2d))
        if self.config.fused:
            pixels = first.in_channels if self.config.shuffled else 0
            carry_pixels(first, zip(self.shrink, self.grow, self.fuse, strict=True), pixels=pixels)  # type: ignore[arg-type]
        around_grey(first)


def _join(grow: nn.Module, fuse: nn.Module, below: Tensor, skip: Tensor) -> Tensor:
    out: Tensor = fuse(beside(grow(below), skip))
    return out


def _run(name: str, read: str, blocks: nn.Module) -> list[Segment]:
    """The segments of several blocks, from the map `read` on."""
    segments: list[Segment] = []
    for index, block in enumerate(blocks.children()):
        assert isinstance(block, Block)
        segments += block.segments(f"{name}.{index}", segments[-1].name if segments else read)
    return segments


class Block(nn.Module):
    """x + KLA(LN(x)), then x + FFN(LN(x)) (Eq. 3 and 4)."""

    def __init__(self, dim: int, attention: KnnLocalAttention, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = attention
        self.norm2 = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, int(dim * mlp_ratio))

    def segments(self, name: str, read: str) -> list[Segment]:
        """From the map `read` to the map `name`; the cells stand alone."""
        attended = f"{name}.attended"
        return [
            Segment(
                attended,
                {read: ()},
                lambda x: added(x, self.attention(by_rows(self.norm1, x))),
                lambda: self.attention.chain,
            ),
            Segment(
                name,
                {attended: declared(self.feed_forward.depthwise)},
                lambda x: added(x, self.feed_forward(by_rows(self.norm2, x))),
            ),
        ]


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
    """Convolutions to half the size: (B, H, W, C) to (B, H/2, W/2, dim)."""
    dim = config.dim
    if config.shuffled:
        return nn.Sequential(PixelUnshuffle(2), Conv2d(4 * config.in_channels, dim, 3, padding=1))
    return nn.Sequential(
        Conv2d(config.in_channels, dim, 3, stride=2, padding=1),
        nn.GELU(),
        Conv2d(dim, dim, 3, padding=1),
        nn.GELU(),
        Conv2d(dim, dim, 3, padding=1),
    )


def _tail(config: Config, dim: int) -> nn.Sequential:
    """Convolutions back to full size: (B, H/2, W/2, dim) to (B, H, W, C)."""
    if config.shuffled:
        return nn.Sequential(Conv2d(dim, 4 * config.in_channels, 3, padding=1), PixelShuffle(2))
    return nn.Sequential(
        ConvTranspose2d(dim, config.dim, 2, stride=2),
        nn.GELU(),
        Conv2d(config.dim, config.dim, 3, padding=1),
        nn.GELU(),
        Conv2d(config.dim, config.in_channels, 3, padding=1),
    )
