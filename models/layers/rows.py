"""Maps (B, H, W, C) as rows of tokens (B, H*W, C), between convolutions and what works on single tokens.

To PyTorch they are the same memory. In a graph they tell OpenVINO where the layout of convolutions ends: it then takes
their answers as they lie, where sums, norms and joins of maps had it copy every one into a third layout, and back.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def added(x: Tensor, y: Tensor) -> Tensor:
    """The sum of two maps (B, H, W, C)."""
    rows = x.flatten(1, 2)
    return (rows + y.reshape(rows.shape)).reshape(x.shape)


def beside(x: Tensor, y: Tensor) -> Tensor:
    """The channels of x (B, H, W, C), then those of y (B, H, W, C'), as (B, H, W, C + C')."""
    rows = y.flatten(1, 2)
    joined = torch.cat([x.reshape(*rows.shape[:2], x.shape[-1]), rows], dim=-1)
    return joined.reshape(*y.shape[:3], -1)


def by_rows(layer: nn.Module, x: Tensor) -> Tensor:
    """A layer of single tokens, such as a norm, on (B, H, W, C)."""
    out: Tensor = layer(x.flatten(1, 2)).reshape(*x.shape[:3], -1)
    return out
