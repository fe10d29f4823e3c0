"""GRL's mixed attention: windows for the local range, anchored stripes for the regional range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from models.contamination import Chain, Parallel
from models.layers.attention import Projection, together
from models.layers.cosine_attention import CosineAttention
from models.layers.windows import Windows, rolled_penalty

QKV = Callable[[Tensor, int], list[Tensor]]  # queries, keys and values of tokens, by heads: see `Projection`


class WindowAttention(nn.Module):
    """Cosine attention among the pixels of each window.

    Args:
        num_heads: attention heads.
        windows: the grid of windows, shifted or not.
    """

    def __init__(self, num_heads: int, windows: Windows) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.windows = windows
        self.attention = CosineAttention(windows.size, windows.size, num_heads)

    def forward(self, x: Tensor, qkv: QKV) -> Tensor:
        """(B, H, W, C) to (B, H, W, `qkv`'s channels)."""
        height, width = x.shape[1:3]
        q, k, v = qkv(self.windows.split(x), self.num_heads)
        penalty = None
        if self.windows.shifted and self.windows.border == "roll":
            regions = self.windows.regions(height, width, x.device)
            penalty = rolled_penalty(regions, regions)
        out = self.attention(q, k, v, self.windows.filled(height, width, x.device), penalty)
        return self.windows.join(together(out), height, width)


class AnchoredStripeAttention(nn.Module):
    """Attention of a stripe's pixels to each other by way of its few anchors, so that the cost is linear in the pixels.

    First the anchors gather from the pixels, then the pixels read from the anchors:
    softmax(Q A^T) (softmax(A K^T) V).

    Args:
        num_heads: attention heads.
        stripes: the grid of stripes. A shift applies only along an axis on which the picture is longer than the stripe.
        anchor_factor: how many times coarser the anchors' map is than the pixels'.
    """

    def __init__(self, num_heads: int, stripes: Windows, anchor_factor: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.stripes = stripes
        self.anchor_factor = anchor_factor
        anchors = stripes.scaled(anchor_factor).size
        self.gather = CosineAttention(anchors, stripes.size, num_heads)
        self.read = CosineAttention(stripes.size, anchors, num_heads)

    def forward(self, x: Tensor, qkv: QKV, anchor: Projection) -> Tensor:
        """(B, H, W, C) to (B, H, W, `qkv`'s channels)."""
        height, width = x.shape[1:3]
        coarse = height // self.anchor_factor, width // self.anchor_factor
        pooled = _pooled(x, self.anchor_factor)
        pixel_grid = self._grid(height, width)
        anchor_grid = pixel_grid.scaled(self.anchor_factor)
        q, k, v = qkv(pixel_grid.split(x), self.num_heads)
        (a,) = anchor(anchor_grid.split(pooled), self.num_heads)
        penalty = None
        if pixel_grid.shifted and pixel_grid.border == "roll":
            regions = pixel_grid.regions(height, width, x.device)
            penalty = rolled_penalty(anchor_grid.regions(*coarse, x.device), regions)
        gathered = self.gather(a, k, v, pixel_grid.filled(height, width, x.device), penalty)
        penalty = None if penalty is None else penalty.transpose(1, 2)
        out = self.read(q, a, gathered, anchor_grid.filled(*coarse, x.device), penalty)
        return pixel_grid.join(together(out), height, width)

    def _grid(self, height: int, width: int) -> Windows:
        if self.stripes.border == "roll":
            return self.stripes
        (h, w), (y, x) = self.stripes.size, self.stripes.offset
        return replace(self.stripes, offset=(y if height > h else 0, x if width > w else 0))


def _pooled(x: Tensor, factor: int) -> Tensor:
    """(B, H, W, C) to the means of its `factor` x `factor` squares, rows first, so that no channel has to move."""
    batch, height, width, channels = x.shape
    rows = x.reshape(-1, factor, width * channels).mean(1)
    return rows.reshape(-1, factor, channels).mean(1).reshape(batch, height // factor, width // factor, channels)


class MixedAttention(nn.Module):
    """Half of the channels in windows, half in stripes, side by side.

    Args:
        dim: channels C, even; each half is divided among its heads.
        num_heads_window: heads of the window attention.
        num_heads_stripe: heads of the stripe attention.
        windows: the grid of windows.
        stripes: the grid of stripes.
        anchor_factor: see `AnchoredStripeAttention`.
    """

    def __init__(
        self,
        dim: int,
        num_heads_window: int,
        num_heads_stripe: int,
        windows: Windows,
        stripes: Windows,
        anchor_factor: int,
    ) -> None:
        super().__init__()
        self.qkv = Projection(dim, 3 * dim, 6)
        self.anchor = Projection(dim, dim // 2, 1)
        self.window = WindowAttention(num_heads_window, windows)
        self.stripe = AnchoredStripeAttention(num_heads_stripe, stripes, anchor_factor)
        self.proj = nn.Linear(dim, dim)

    @property
    def chain(self) -> Chain:
        """How far a cut is felt."""
        return (Parallel((self.window.windows.layer,), (self.stripe.stripes.layer,)),)

    @property
    def single(self) -> int:
        """Side up to which a map is a single stripe, which is not shifted."""
        stripes = self.stripe.stripes
        return max(stripes.size) if stripes.shifted else 0

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, H, W, C)."""
        window = self.window(x, partial(self.qkv, which=slice(3)))
        stripe = self.stripe(x, partial(self.qkv, which=slice(3, 6)), self.anchor)
        out: Tensor = self.proj(torch.cat((window, stripe), dim=-1))
        return out
