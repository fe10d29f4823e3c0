"""Key-semantic attention as one Triton kernel: a running softmax along each token's list of keys.

A program serves one token and one head. It reads the token's keys a block at a time, and of the window's K and V just
the rows listed; what it keeps are the running maximum, the running sum and one accumulator, so nothing of size N x N
or N x k x d exists anywhere. Forward only: training uses the `mask` implementation. Nothing here loads torch, so that
an engine can be built with this kernel where torch is not installed.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, import-untyped"
from __future__ import annotations

import triton
from triton import language as tl

BLOCK_KEYS = 64  # keys that a program reads at a time
WARPS = 2  # of a program
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


@triton.jit
def packed(
    q_ptr,
    k_ptr,
    v_ptr,
    keys_ptr,
    bias_ptr,
    out_ptr,
    heads: tl.constexpr,
    tokens: tl.constexpr,
    listed: tl.constexpr,
    height: tl.constexpr,
    width: tl.constexpr,
    head_dim: tl.constexpr,
    block_dim: tl.constexpr,
    block_keys: tl.constexpr,
):
    """`kernel` for contiguous tensors of a known shape: what is left to be passed are pointers."""
    token_step: tl.constexpr = head_dim
    head_step: tl.constexpr = tokens * token_step
    group_step: tl.constexpr = heads * head_step
    kernel(
        q_ptr,
        k_ptr,
        v_ptr,
        keys_ptr,
        bias_ptr,
        out_ptr,
        group_step,
        head_step,
        token_step,
        group_step,
        head_step,
        token_step,
        group_step,
        head_step,
        token_step,
        group_step,
        head_step,
        token_step,
        tokens,
        listed,
        height,
        width,
        head_dim,
        block_dim,
        block_keys,
    )


def blocks(head_dim: int, listed: int) -> dict[str, int]:
    """Channels and keys that a program of either kernel works on at once."""
    return {
        "block_dim": triton.next_power_of_2(head_dim),
        "block_keys": min(BLOCK_KEYS, triton.next_power_of_2(listed)),
    }
