"""GRL: Efficient and Explicit Modelling of Image Hierarchies for Image Restoration (Li et al., CVPR 2023)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from models.grl.attention import MixedAttention
from models.grl.channel_attention import ChannelAttentionBlock
from models.grl.config import CONFIGS, Config
from models.layers.colour import colour_mean
from models.layers.feed_forward import Mlp
from models.layers.resampling import Conv2d, tail
from models.layers.windows import Windows
from models.network import RestorationNetwork

__all__ = ["CONFIGS", "GRL", "Config"]


class GRL(RestorationNetwork):
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

    def restore(self, x: Tensor) -> Tensor:
        """Restore (B, C, H, W); see `RestorationNetwork.restore`."""
        x = x - self.mean
        shallow = self.stem(F.pixel_unshuffle(x, self.config.stem).permute(0, 2, 3, 1))
        features = self.norm_in(shallow)
        for stage in self.stages:
            features = stage(features)
        features = shallow + self.body(self.norm_out(features))
        out: Tensor = self.tail(features).permute(0, 3, 1, 2)
        if self.config.picture_skip:
            out = out + F.interpolate(x, scale_factor=float(self.scale), mode="bilinear")
        elif self.config.tail == "conv" and self.in_channels == self.out_channels:
            out = out + x
        return out + self.mean

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

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, H, W, C)."""
        out: Tensor = x + self.conv(self.blocks(x))
        return out


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

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, H, W, C)."""
        attended = x + self.norm1(self.attention(x))
        x = attended if self.local is None else attended + self.local(x)
        out: Tensor = x + self.norm2(self.mlp(x))
        return out
