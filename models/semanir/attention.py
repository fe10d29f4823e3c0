"""Key-semantic attention (SemanIR, Eq. 3): every token attends to the keys its dictionary lists, and to no other.

One function in four implementations, which agree to rounding:

    mask     scores of all pairs, those not listed put out (`listed.py`). Dense products only; what training uses.
    gather   the listed keys and values are copied beside each token. Work grows with k, memory with k times the map.
    triton   one fused kernel that walks the list with a running softmax (`triton_kernel.py`). Inference on a GPU.
    operator as mask, but one node in an exported graph (`operator.py`), so that an engine can have a kernel for it.
"""

from __future__ import annotations

import math
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn

from models.layers.attention import Projection, together
from models.layers.cosine_attention import LARGEST_LOG_SCALE, unit
from models.layers.position_bias import ContinuousPositionBias
from models.layers.windows import Windows
from models.semanir.dictionary import Dictionary
from models.semanir.listed import attend_gathered, attend_masked
from models.semanir.operator import attend_operator

Implementation = Literal["mask", "gather", "triton", "operator"]
IMPLEMENTATIONS: tuple[Implementation, ...] = get_args(Implementation)


class KeySemanticAttention(nn.Module):
    """Multi-head cosine attention within windows, over the keys of a dictionary.

    The score of a pair is GRL's, the same laboratory's: the cosine of query and key times a learned factor per head,
    plus a continuous position bias. The paper does not print it; its parameter counts agree.

    Args:
        dim: channels; `num_heads` divides it.
        num_heads: attention heads.
        window_size: side of the square windows.
        bias_hidden: width of the position bias's MLP.

    Attributes:
        implementation: how `forward` computes (see the module); any time, on the same weights.
    """

    def __init__(self, dim: int, num_heads: int, window_size: int, bias_hidden: int) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"{num_heads} heads do not divide {dim} channels")
        self.implementation: Implementation = "mask"
        self.num_heads = num_heads
        window = (window_size, window_size)
        self.qkv = Projection(dim, 3 * dim, 3)
        self.proj = nn.Linear(dim, dim)
        self.logit_scale = nn.Parameter(torch.full((num_heads, 1, 1), math.log(10)))
        self.bias = ContinuousPositionBias(window, window, num_heads, bias_hidden)

    def forward(self, x: Tensor, windows: Windows, dictionary: Dictionary) -> Tensor:
        """(B, H, W, dim) to (B, H, W, dim); `dictionary` lists the keys of these `windows`."""
        q, k, v = self.qkv(windows.split(x), self.num_heads)
        q, k = unit(q), unit(k)
        q = (q * self.logit_scale.clamp(max=LARGEST_LOG_SCALE).exp()).to(k.dtype)
        out = attend(q, k, v, dictionary, self.bias.grid().to(q.dtype), self.implementation)
        out = self.proj(windows.join(together(out), *x.shape[1:3]))
        return cast(Tensor, out)


def attend(
    q: Tensor, k: Tensor, v: Tensor, dictionary: Dictionary, bias: Tensor, implementation: Implementation
) -> Tensor:
    """Softmax over the listed keys of q k^T + bias, times v.

    Args:
        q: (G, num_heads, N, d), scaled already.
        k: (G, num_heads, N, d).
        v: (G, num_heads, N, d).
        dictionary: the keys of each token.
        bias: (num_heads, 2h-1, 2w-1), one value per offset (query - key) in the window.
        implementation: one of `IMPLEMENTATIONS`.

    Returns:
        (G, num_heads, N, d).
    """
    if implementation == "triton":
        from models.semanir.triton_attention import attend_listed  # an optional dependency

        return cast(Tensor, attend_listed(q, k, v, dictionary.keys.int(), bias))
    if implementation == "operator":
        return attend_operator(q, k, v, dictionary, bias)
    if implementation == "gather":
        return attend_gathered(q, k, v, dictionary, bias)
    return attend_masked(q, k, v, dictionary, bias)
