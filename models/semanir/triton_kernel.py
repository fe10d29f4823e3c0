"""Key-semantic attention as one Triton kernel: a running softmax along each token's list of keys.

A program serves one token and one head. It reads the token's keys a block at a time, and of the window's K and V just
the rows listed; what it keeps are the running maximum, the running sum and one accumulator, so nothing of size N x N
or N x k x d exists anywhere. Forward only: training uses the `mask` implementation.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, import-untyped"
from __future__ import annotations

import torch
import triton
from torch import Tensor
from triton import language as tl

BLOCK_KEYS = 64  # keys that a program reads at a time
LOWEST = tl.constexpr(-1e30)  # below any score, and finite: a block without a key must not make inf - inf


@triton.jit
def kernel(
    q_ptr,
    k_ptr,
    v_ptr,
    keys_ptr,
    bias_ptr,
    out_ptr,
    q_group,
    q_head,
    q_token,
    k_group,
    k_head,
    k_token,
    v_group,
    v_head,
    v_token,
    out_group,
    out_head,
    out_token,
    tokens,
    listed,
    height,
    width,
    head_dim: tl.constexpr,
    block_dim: tl.constexpr,
    block_keys: tl.constexpr,
):
    """Write one token's output of one head; see `attend_listed` for the tensors. Channels are contiguous."""
    group = (tl.program_id(0) // tokens).to(tl.int64)
    token = tl.program_id(0) % tokens
    head = tl.program_id(1)
    channel = tl.arange(0, block_dim)
    inside = channel < head_dim
    q = tl.load(q_ptr + group * q_group + head * q_head + token * q_token + channel, mask=inside, other=0.0)
    q = q.to(tl.float32)
    k_window = k_ptr + group * k_group + head * k_head
    v_window = v_ptr + group * v_group + head * v_head
    offsets = 2 * width - 1
    bias_head = bias_ptr + head * (2 * height - 1) * offsets
    keys_token = keys_ptr + (group * tokens + token) * listed

    maximum = LOWEST
    total = 0.0
    summed = tl.zeros([block_dim], dtype=tl.float32)
    for start in range(0, listed, block_keys):
        place = start + tl.arange(0, block_keys)
        key = tl.load(keys_token + place, mask=place < listed, other=-1)
        present = key >= 0
        row = present[:, None] & inside[None, :]
        k = tl.load(k_window + key[:, None] * k_token + channel[None, :], mask=row, other=0.0).to(tl.float32)
        down = token // width - key // width + height - 1
        right = token % width - key % width + width - 1
        score = tl.sum(q[None, :] * k, axis=1)
        score += tl.load(bias_head + down * offsets + right, mask=present, other=0.0).to(tl.float32)
        score = tl.where(present, score, -float("inf"))
        highest = tl.maximum(maximum, tl.max(score, axis=0))
        shrink = tl.exp(maximum - highest)
        weight = tl.exp(score - highest)
        v = tl.load(v_window + key[:, None] * v_token + channel[None, :], mask=row, other=0.0).to(tl.float32)
        summed = summed * shrink + tl.sum(weight[:, None] * v, axis=0)
        total = total * shrink + tl.sum(weight, axis=0)
        maximum = highest
    out = out_ptr + group * out_group + head * out_head + token * out_token + channel
    tl.store(out, (summed / total).to(out_ptr.dtype.element_ty), mask=inside)


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
        block_dim=triton.next_power_of_2(width),
        block_keys=min(BLOCK_KEYS, triton.next_power_of_2(listed)),
        num_warps=2,
    )
    return out


@attend_listed.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
    return torch.empty_like(q.transpose(1, 2), memory_format=torch.contiguous_format).transpose(1, 2)
