"""IPT-V2: Efficient Image Processing Transformer using Hierarchical Attentions (Tu et al.), the assembly."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from imaging.stages import PICTURE
from models.contamination import Chain, Conv, Down, Up
from models.ipt_v2.attention import FocalContextAttention, GlobalGridAttention
from models.ipt_v2.feed_forward import RepLeFFN
from models.layers.rep_conv import RepPointwise
from models.layers.rows import added, beside, by_rows
from models.segments import Segment, SegmentedNetwork


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
        faded: whether cells overlap by half and fade into one another, instead of lying side by side.
        stem: side of the pixel blocks folded into channels before the first level (1 in the paper).
        lift: added to what the first level reads, not to the answer (0 in the paper). Nothing here has a bias: of exact
            black, as in bars and slides, LayerNorm would make a full signal out of what leaks in from afar.
        channels: channels of the picture.
    """

    embed_dim: int = 32
    depths: tuple[int, ...] = (4, 6, 6, 8)
    num_heads: tuple[int, ...] = (1, 2, 4, 8)
    refinement: int = 0
    grid: int = 8
    window: int = 32
    cell: int = 256
    faded: bool = False
    stem: int = 1
    lift: float = 0.0
    channels: int = 3

    def __post_init__(self) -> None:
        coarsest = self.stem * 2 ** (len(self.depths) - 1)
        if len(self.depths) != len(self.num_heads):
            raise ValueError(f"{len(self.depths)} levels of layers but {len(self.num_heads)} of heads")
        if self.window % (2 * coarsest):
            raise ValueError(f"a window of {self.window} pixels has no half at 1/{coarsest} of the size")
        if self.cell % (self.grid * coarsest):
            raise ValueError(
                f"a cell of {self.cell} pixels does not hold a grid of {self.grid} at 1/{coarsest} of the size"
            )
        if self.cell % self.window:
            raise ValueError(f"a cell of {self.cell} pixels does not hold whole windows of {self.window}")
        if self.faded and (not self.cell or self.cell % (2 * coarsest)):
            raise ValueError(f"a cell of {self.cell} pixels has no half at 1/{coarsest} of the size to be faded over")


_LIFT = 2**-10  # a quarter of an 8-bit step
_DEEP = Config(embed_dim=24, depths=(4, 4, 4), num_heads=(1, 2, 4), cell=128, stem=2, lift=_LIFT)

CONFIGS = {
    "small": Config(),
    "base": Config(embed_dim=48, refinement=4, grid=16),
    "base_plus": Config(embed_dim=48, depths=(6, 8, 8, 10), refinement=6, grid=16),
    # Ours, for two CPU cores: half resolution throughout, three levels (docs/adr/0003).
    "tiny": Config(embed_dim=24, depths=(2, 2, 4), num_heads=(1, 2, 4), cell=128, stem=2, lift=_LIFT),
    "tiny_deep": _DEEP,
    "tiny_deep_faded": replace(_DEEP, faded=True),
    "tiny_deeper": replace(_DEEP, depths=(4, 4, 8)),
}


class IPTV2(SegmentedNetwork):
    """The U-shaped network: focal and global layers by turns, skips concatenated, the picture added at the end."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.in_channels = self.out_channels = config.channels
        levels = len(config.depths)
        coarsest = config.stem * 2 ** (levels - 1)
        self.lattice = config.cell or math.lcm(config.grid * coarsest, config.window)
        dims = [config.embed_dim * 2**level for level in range(levels)]
        folded = config.channels * config.stem**2
        self.stem = Conv3x3(folded, dims[0])
        self.encoders = nn.ModuleList(_layers(config, level, dims[level]) for level in range(levels))
        self.downs = nn.ModuleList(Shrink(dim) for dim in dims[:-1])
        self.ups = nn.ModuleList(Grow(dim) for dim in dims[1:])
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

    @property
    def least(self) -> int:
        """Two cells where they are faded, as one overlaps with none; else the lattice, or more than a single window."""
        single = self.config.cell if self.config.faded else self.config.window
        return self.lattice * (1 if self.lattice > single else 2)

    def segments(self) -> Sequence[Segment]:
        """Two for each layer, so that GGSA stands alone; see `SegmentedNetwork.segments`."""
        bottom = len(self.encoders) - 1
        segments = _run("encoder0", self.encoders[0], {PICTURE: (Down(self.config.stem), Conv(1))}, self._enter)
        skips = [segments[-1].name]
        for level, down in enumerate(self.downs, start=1):
            segments += _run(f"encoder{level}", self.encoders[level], {skips[-1]: (Conv(1), Down(2))}, down)
            skips.append(segments[-1].name)
        for level in reversed(range(bottom)):
            below: dict[str, Chain] = {segments[-1].name: (Conv(1), Up(2)), skips[level]: ()}
            join = partial(_join, self.ups[level], self.reduces[level])
            segments += _run(f"decoder{level}", self.decoders[level], below, join)
        if len(self.refinement):
            segments += _run("refinement", self.refinement, {segments[-1].name: ()}, nn.Identity())
        last: dict[str, Chain] = {segments[-1].name: (Conv(1), Up(self.config.stem)), PICTURE: ()}
        return [*segments, Segment("restored", last, self._leave)]

    def _enter(self, picture: Tensor) -> Tensor:
        folded = F.pixel_unshuffle(picture.permute(0, 3, 1, 2) + self.config.lift, self.config.stem)
        return self.stem(folded.permute(0, 2, 3, 1))  # type: ignore[no-any-return]

    def _leave(self, features: Tensor, picture: Tensor) -> Tensor:
        residual = F.pixel_shuffle(self.head(features).permute(0, 3, 1, 2), self.config.stem)
        return picture + residual.permute(0, 2, 3, 1)


def _join(up: nn.Module, reduce: nn.Module, below: Tensor, skip: Tensor) -> Tensor:
    out: Tensor = reduce(beside(up(below), skip))
    return out


def _run(name: str, layers: nn.Module, reads: Mapping[str, Chain], enter: Callable[..., Tensor]) -> list[Segment]:
    """The segments of several layers; the first one begins with what joins the maps in `reads`."""
    segments: list[Segment] = []
    for index, layer in enumerate(layers.children()):
        assert isinstance(layer, Layer)
        attended = f"{name}.{index}.attention"
        segments.append(layer.attention_segment(attended, reads, enter))
        segments.append(layer.feed_forward_segment(f"{name}.{index}", attended))
        reads, enter = {segments[-1].name: ()}, nn.Identity()
    return segments


class Layer(nn.Module):
    """One transformer layer on (B, H, W, C), pre-norm (Eq. 1); LayerNorm has a weight and no bias."""

    def __init__(self, channels: int, attention: FocalContextAttention | GlobalGridAttention) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, bias=False)
        self.attention = attention
        self.norm2 = nn.LayerNorm(channels, bias=False)
        self.feed_forward = RepLeFFN(channels)

    def begin_as_identity(self) -> None:
        """Let both halves add nothing to what they get, until training says what."""
        nn.init.zeros_(self.attention.project.weight)
        nn.init.zeros_(cast(RepPointwise, self.feed_forward.reduce).second)

    def attention_segment(self, name: str, reads: Mapping[str, Chain], enter: Callable[..., Tensor]) -> Segment:
        """The half x + attention(norm(x)), where x is what `enter` makes of the maps read."""

        def compute(*maps: Tensor) -> Tensor:
            x = enter(*maps)
            return added(x, self.attention(by_rows(self.norm1, x)))

        attention = self.attention
        return Segment(name, reads, compute, lambda: attention.chain, attention.single, attention.overlapping)

    def feed_forward_segment(self, name: str, read: str) -> Segment:
        """The half x + feed_forward(norm(x))."""

        def compute(x: Tensor) -> Tensor:
            return added(x, self.feed_forward(by_rows(self.norm2, x)))

        return Segment(name, {read: ()}, compute, lambda: self.feed_forward.chain)


def _layers(config: Config, level: int, channels: int, depth: int | None = None) -> nn.Sequential:
    """The layers of one level: focal and global by turns."""
    heads, step = config.num_heads[level], config.stem * 2**level
    return nn.Sequential(
        *(
            Layer(
                channels,
                GlobalGridAttention(channels, heads, config.grid, config.cell // step, faded=config.faded)
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


class Shrink(nn.Module):
    """Half the size, twice the channels: 3x3 convolution to C/2, then pixel-unshuffle."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(channels, channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H/2, W/2, 2C)."""
        return F.pixel_unshuffle(self.conv(x).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


class Grow(nn.Module):
    """Twice the size, half the channels: 3x3 convolution to 2C, then pixel-shuffle."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Conv3x3(channels, 2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, 2H, 2W, C/2)."""
        return F.pixel_shuffle(self.conv(x).permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
