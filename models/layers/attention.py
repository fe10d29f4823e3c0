"""Attention over batches of windows, with a bias per pair and a mask per key."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from models.layers.chunks import exporting

MASKED = -1e4  # minus infinity that half precision can hold: exp(MASKED + any score) is zero


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
