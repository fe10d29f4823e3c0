"""The Triton kernel as an operator of torch, for networks that run in torch on a GPU."""

# mypy: disable-error-code="import-untyped"
from __future__ import annotations

import torch
import triton
from torch import Tensor

from models.semanir.triton_kernel import WARPS, blocks, kernel


@torch.library.custom_op("unseam::key_semantic_attention", mutates_args=())
def attend_listed(q: Tensor, k: Tensor, v: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
    """Attend to the listed keys (the `triton` implementation of `models.semanir.attention.attend`).

    Args:
        q: (G, num_heads, N, d), scaled already; on CUDA, or anywhere if TRITON_INTERPRET=1 is set before the import.
        k: as q.
        v: as q.
        keys: int32 (G, N, k); -1 is an empty place. Each token lists one key at least.
        bias: (num_heads, 2h-1, 2w-1), h * w = N.

    Returns:
        (G, num_heads, N, d), stored token by token: (G, N, num_heads, d) is contiguous.
    """
    if isinstance(kernel, triton.JITFunction) and not q.is_cuda:
        raise ValueError(f"the triton implementation needs a CUDA device; the tensors are on {q.device}")
    groups, heads, tokens, width = q.shape
    q, k, v = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k, v))
    out = torch.empty_like(q.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)
    keys, bias = keys.contiguous(), bias.contiguous()
    listed = keys.shape[-1]
    h, w = (side // 2 + 1 for side in bias.shape[1:])
    strides = [stride for x in (q, k, v, out) for stride in x.stride()[:3]]
    kernel[groups * tokens, heads](
        *(q, k, v, keys, bias, out, *strides, tokens, listed, h, w),
        head_dim=width,
        **blocks(width, listed),
        num_warps=WARPS,
    )
    return out


@attend_listed.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
    return torch.empty_like(q.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)
