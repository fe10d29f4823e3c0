"""GRL's mixed attention: windows for the local range, anchored stripes for the regional range."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.contamination import Chain, Parallel
from models.layers.cosine_attention import CosineAttention
from models.layers.windows import Windows, rolled_penalty


class Halves(nn.Linear):
    """A linear layer that gives its two halves of channels each by itself, so that none has to be cut out of both."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """(..., in) to two of (..., out / 2)."""
        (first, second), (bias, other) = self.weight.chunk(2), self.bias.chunk(2)
        return F.linear(x, first, bias), F.linear(x, second, other)


class WindowAttention(nn.Module):
    """Cosine attention among the pixels of each window; takes q, k and v in one map.

    Args:
        num_heads: attention heads.
        windows: the grid of windows, shifted or not.
    """

    def __init__(self, num_heads: int, windows: Windows) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.windows = windows
        self.attention = CosineAttention(windows.size, windows.size, num_heads)

    def forward(self, qkv: Tensor) -> Tensor:
        """(B, H, W, 3C) to (B, H, W, C)."""
        height, width = qkv.shape[1:3]
        q, k, v = self.windows.split_heads(qkv, 3, self.num_heads).unbind()
        penalty = None
        if self.windows.shifted and self.windows.border == "roll":
            regions = self.windows.regions(height, width, qkv.device)
            penalty = rolled_penalty(regions, regions)
        out = self.attention(q, k, v, self.windows.filled(height, width, qkv.device), penalty)
        return self.windows.join_heads(out, height, width)


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

    def forward(self, qkv: Tensor, anchors: Tensor) -> Tensor:
        """(B, H, W, 3C) and (B, H/f, W/f, C) to (B, H, W, C)."""
        height, width = qkv.shape[1:3]
        coarse = height // self.anchor_factor, width // self.anchor_factor
        pixel_grid = self._grid(height, width)
        anchor_grid = pixel_grid.scaled(self.anchor_factor)
        q, k, v = pixel_grid.split_heads(qkv, 3, self.num_heads).unbind()
        (a,) = anchor_grid.split_heads(anchors, 1, self.num_heads).unbind()
        penalty = None
        if pixel_grid.shifted and pixel_grid.border == "roll":
            regions = pixel_grid.regions(height, width, qkv.device)
            penalty = rolled_penalty(anchor_grid.regions(*coarse, qkv.device), regions)
        gathered = self.gather(a, k, v, pixel_grid.filled(height, width, qkv.device), penalty)
        penalty = None if penalty is None else penalty.transpose(1, 2)
        out = self.read(q, a, gathered, anchor_grid.filled(*coarse, qkv.device), penalty)
        return pixel_grid.join_heads(out, height, width)

    def _grid(self, height: int, width: int) -> Windows:
        if self.stripes.border == "roll":
            return self.stripes
        (h, w), (y, x) = self.stripes.size, self.stripes.offset
        return replace(self.stripes, offset=(y if height > h else 0, x if width > w else 0))


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
        self.anchor_factor = anchor_factor
        self.qkv = Halves(dim, 3 * dim)
        self.anchor = nn.Linear(dim, dim // 2)
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
        window, stripe = self.qkv(x)
        anchors = self.anchor(F.avg_pool2d(x.permute(0, 3, 1, 2), self.anchor_factor).permute(0, 2, 3, 1))
        out: Tensor = self.proj(torch.cat((self.window(window), self.stripe(stripe, anchors)), dim=-1))
        return out
