"""Cosine attention with a continuous position bias (Swin V2, as GRL and SemanIR use it)."""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn

from models.layers.attention import attend
from models.layers.chunks import exporting
from models.layers.position_bias import ContinuousPositionBias
from models.layers.windows import Size

LARGEST_LOG_SCALE = math.log(100)
SMALLEST_SQUARE = 1e-24  # a zero vector stays zero


class CosineAttention(nn.Module):
    """softmax(cos(q, k) * exp(min(logit_scale, ln 100)) + 16 sigmoid(CPB)) v, without 1/sqrt(d).

    Args:
        queries: (h, w) of the query window.
        keys: (h, w) of the key window.
        num_heads: attention heads.
    """

    def __init__(self, queries: Size, keys: Size, num_heads: int) -> None:
        super().__init__()
        self.logit_scale = nn.Parameter(torch.full((num_heads, 1, 1), math.log(10)))
        self.bias = ContinuousPositionBias(queries, keys, num_heads)

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, masked: Tensor | None = None, penalty: Tensor | None = None
    ) -> Tensor:
        """Attend; q, k, v are (B, num_heads, N, d).

        Args:
            q: queries.
            k: keys.
            v: values.
            masked: bool (count, Nk), keys without weight (see `attend`).
            penalty: (count, Nq, Nk) added to the scores, `count` windows of each picture.
        """
        bias = self.bias()
        if penalty is not None:
            bias = (bias + penalty[:, None]).repeat(len(q) // len(penalty), 1, 1, 1)
        scale = self.logit_scale.clamp(max=LARGEST_LOG_SCALE).exp()
        return attend((unit(q) * scale).to(q.dtype), unit(k), v, bias, masked)


def unit(x: Tensor) -> Tensor:
    """Vectors of length one; the length is taken in float32 at least, where half precision would overflow."""
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    apply: Any = _Unit.apply
    return cast(Tensor, apply(wide) if exporting() else _Unit.forward(None, wide)).to(x.dtype)


class _Unit(torch.autograd.Function):
    """One node of a graph, which runtimes compute in one pass over the vectors instead of five."""

    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        return x * x.square().sum(-1, keepdim=True).clamp(min=SMALLEST_SQUARE).rsqrt()

    @staticmethod
    def symbolic(graph: Any, x: Any) -> Any:
        """What the exporter writes instead of `forward`'s operators."""
        return graph.op("LpNormalization", x, axis_i=-1, p_i=2).setType(x.type())
