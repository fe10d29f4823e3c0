"""GRL: Efficient and Explicit Modelling of Image Hierarchies for Image Restoration (Li et al., CVPR 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from imaging.stages import PICTURE
from models.contamination import Chain, Conv, Down, Up
from models.grl.attention import MixedAttention
from models.grl.channel_attention import ChannelAttentionBlock
from models.grl.config import CONFIGS, Config
from models.layers.colour import colour_mean
from models.layers.feed_forward import Mlp
from models.layers.resampling import Conv2d, tail
from models.layers.rows import added, by_rows
from models.layers.windows import Windows
from models.segments import Segment, SegmentedNetwork, declared

__all__ = ["CONFIGS", "GRL", "Config"]


class GRL(SegmentedNetwork):
    """Stages of mixed-attention blocks between two convolutions, after SwinIR."""

    mean: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.in_channels, self.out_channels = config.in_channels, config.out_channels
        self.scale = config.scale
        self.lattice = config.lattice
        dim = config.embed_dim
        self.register_buffer("mean", colour_mean(config.in_channels), persistent=False)
        self.stem = Conv2d(config.in_channels * config.stem**2, dim, 3, padding=1)
        self.norm_in = nn.LayerNorm(dim)
        self.stages = nn.ModuleList(Stage(config, index) for index in range(len(config.depths)))
        self.norm_out = nn.LayerNorm(dim)
        self.body = Conv2d(dim, dim, 3, padding=1)
        self.tail = tail(config.tail, dim, config.out_channels, config.scale * config.stem)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def segments(self) -> Sequence[Segment]:
        """One for each block without a convolutional branch, three with it; see `SegmentedNetwork.segments`."""
        segments = [
            Segment("shallow", {PICTURE: (Down(self.config.stem), *declared(self.stem))}, self._enter),
            Segment("norm_in", {"shallow": ()}, partial(by_rows, self.norm_in)),
        ]
        for index, stage in enumerate(self.stages.children()):
            assert isinstance(stage, Stage)
            segments += stage.segments(f"stage{index}", segments[-1].name)
        tail = declared(self.tail)
        last: dict[str, Chain] = {
            segments[-1].name: (*declared(self.body), *tail),
            "shallow": tail,
            PICTURE: (Conv(1), Up(self.scale)) if self.config.picture_skip else (Up(self.scale),),
        }
        return [*segments, Segment("restored", last, self._leave)]

    def _enter(self, picture: Tensor) -> Tensor:
        x = picture.permute(0, 3, 1, 2) - self.mean
        shallow: Tensor = self.stem(F.pixel_unshuffle(x, self.config.stem).permute(0, 2, 3, 1))
        return shallow

    def _leave(self, features: Tensor, shallow: Tensor, picture: Tensor) -> Tensor:
        out: Tensor = self.tail(added(shallow, self.body(self.norm_out(features)))).permute(0, 3, 1, 2)
        x = picture.permute(0, 3, 1, 2) - self.mean
        if self.config.picture_skip:
            out = out + F.interpolate(x, scale_factor=float(self.scale), mode="bilinear")
        elif self.config.tail == "conv" and self.in_channels == self.out_channels:
            out = out + x
        return (out + self.mean).permute(0, 2, 3, 1)

    @property
    def least(self) -> int:
        """Two stripes on either side, or more: a single one is not shifted. The released code makes no difference."""
        return self.config.lattice if self.config.border == "roll" else self.config.least

    def pad(self, x: Tensor) -> Tensor:
        """Continue (B, C, H, W) to the lattice; the released code takes zeros where one reflection is too short."""
        right, bottom = -x.shape[3] % self.lattice, -x.shape[2] % self.lattice
        if self.config.border == "roll" and not (bottom < x.shape[2] and right < x.shape[3]):
            return F.pad(x, (0, right, 0, bottom))
        return super().pad(x)


class Stage(nn.Module):
    """Blocks, a convolution, and the skip around them."""

    def __init__(self, config: Config, index: int) -> None:
        super().__init__()
        heads = config.num_heads_window[index], config.num_heads_stripe[index]
        self.blocks = nn.Sequential(*(Block(config, *heads, place) for place in range(config.depths[index])))
        self.conv = Conv2d(config.embed_dim, config.embed_dim, 3, padding=1)

    def segments(self, name: str, read: str) -> list[Segment]:
        """From the map `read` on; the last segment is named `name`."""
        segments: list[Segment] = []
        source = read
        for index, block in enumerate(self.blocks.children()):
            assert isinstance(block, Block)
            segments += block.segments(f"{name}.{index}", source)
            source = segments[-1].name
        skip: dict[str, Chain] = {source: declared(self.conv), read: ()}
        return [*segments, Segment(name, skip, lambda features, x: added(x, self.conv(features)))]


class Block(nn.Module):
    """Mixed attention, the convolutional branch of Base, and a feed-forward; norms come after what they belong to.

    Even blocks shift the windows, odd blocks turn the stripes; of every four blocks the last two shift the stripes.
    """

    def __init__(self, config: Config, num_heads_window: int, num_heads_stripe: int, place: int) -> None:
        super().__init__()
        dim, size = config.embed_dim, config.window_size
        half = 0 if place % 2 else size // 2
        windows = Windows((size, size), (half, half), config.border)
        h, w = reversed(config.stripe_size) if place % 2 else config.stripe_size
        stripes = Windows((h, w), (h // 2, w // 2) if place % 4 in (2, 3) else (0, 0), config.border)
        self.attention = MixedAttention(dim, num_heads_window, num_heads_stripe, windows, stripes, config.anchor_factor)
        self.norm1 = nn.LayerNorm(dim)
        self.local: ChannelAttentionBlock | None = None
        if config.local_connection:
            self.local = ChannelAttentionBlock(dim, 0 if config.whole_image_pool else config.trained_size // 2)
        self.mlp = Mlp(dim, config.mlp_ratio)
        self.norm2 = nn.LayerNorm(dim)

    def segments(self, name: str, read: str) -> list[Segment]:
        """From the map `read` to the map `name`."""
        attention, local = self.attention, self.local
        if local is None:
            return [Segment(name, {read: ()}, self._whole, lambda: attention.chain, attention.single)]
        attended, convolved = f"{name}.attended", f"{name}.convolved"
        joined: dict[str, Chain] = {attended: (), convolved: ()}
        return [
            Segment(attended, {read: ()}, self._attend, lambda: attention.chain, attention.single),
            Segment(convolved, {read: (*declared(local.conv1), *declared(local.conv2))}, local.convolve),
            Segment(name, joined, lambda a, c: self._feed_forward(a + local.weigh(c)), lambda: (local.pool,)),
        ]

    def _whole(self, x: Tensor) -> Tensor:
        return self._feed_forward(self._attend(x))

    def _attend(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.norm1(self.attention(x))
        return out

    def _feed_forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.norm2(self.mlp(x))
        return out
