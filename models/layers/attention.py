"""Attention over batches of windows, with a bias per pair and a mask per key."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.chunks import exporting

MASKED = -1e4  # minus infinity that half precision can hold: exp(MASKED + any score) is zero


class Projection(nn.Linear):
    """A linear layer to several equal parts of channels, as queries, keys and values are, each divided among heads.

    Each part is a product of its own, so that none has to be cut out of another, and heads are laid apart right before
    attention: OpenVINO computes everything from there to `together` in one pass.

    Args:
        in_features: channels taken.
        out_features: channels of all parts.
        parts: how many there are.
    """

    def __init__(self, in_features: int, out_features: int, parts: int) -> None:
        super().__init__(in_features, out_features)
        self.parts = parts

    def forward(self, x: Tensor, num_heads: int, which: slice = slice(None)) -> list[Tensor]:  # type: ignore[override]
        """Tokens (B, N, in_features) to the parts wanted, each (B, num_heads, N, d)."""
        wanted = zip(self.weight.chunk(self.parts)[which], self.bias.chunk(self.parts)[which], strict=True)
        made = (F.linear(x, weight, bias) for weight, bias in wanted)
        return [part.reshape(*x.shape[:2], num_heads, part.shape[2] // num_heads).transpose(1, 2) for part in made]


def together(x: Tensor) -> Tensor:
    """Lay heads (B, num_heads, N, d) side by side again: (B, N, num_heads * d)."""
    return x.transpose(1, 2).flatten(2)


def attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, masked: Tensor | None = None) -> Tensor:
    """softmax(q k^T + bias) v; a masked key gets no weight.

    Args:
        q: (B, num_heads, Nq, d), scaled already.
        k: (B, num_heads, Nk, d).
        v: (B, num_heads, Nk, d_v).
        bias: broadcast to (B, num_heads, Nq, Nk).
        masked: bool (count, Nk), True for keys to leave out, where `count` divides B (windows of one picture, repeated
            for every picture of the batch). Each query needs one key that is not masked.

    Returns:
        (B, num_heads, Nq, d_v).
    """
    if masked is None:
        return _attend(q, k, v, bias)
    # The mask rides as one more channel, 1 in q and MASKED in k, so that no (B, Nq, Nk) mask is ever stored. Up to a
    # multiple of eight, in v as well, is what fused kernels want; a graph has none.
    count, keys = masked.shape
    width = v.shape[-1]
    more = 1 if exporting() else 8 - q.shape[-1] % 8
    columns = F.pad((masked * MASKED).to(k.dtype)[..., None], (0, more - 1))[None, :, None]
    columns = columns.expand(k.shape[0] // count, -1, k.shape[1], -1, -1).reshape(-1, k.shape[1], keys, more)
    q = F.pad(q, (0, more), value=1.0)
    k = torch.cat((k, columns), dim=-1)
    if not exporting():
        v = F.pad(v, (0, q.shape[-1] - width))
    return _attend(q, k, v, bias)[..., :width]


def _attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Plain attention with a bias, by the fastest way that PyTorch has for it."""
    bias = bias.to(q.dtype).reshape(-1, *bias.shape[-3:])  # with fewer dimensions, fused kernels turn it down
    # A graph has no fused kernel. On CPUs there is none for the gradient of a bias, and PyTorch's fallback is slower.
    if exporting() or (torch.is_grad_enabled() and q.device.type == "cpu"):
        return torch.softmax(q @ k.transpose(-2, -1) + bias, dim=-1) @ v
    return F.scaled_dot_product_attention(q, k, v, bias, scale=1.0)
