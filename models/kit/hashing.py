"""Locality-sensitive hashing (KiT, Eq. 5 to 7): which patches look alike, without comparing them pair by pair."""

from __future__ import annotations

import torch
from torch import Tensor

from models.layers.near_ties import settled
from models.layers.precision import full_precision

# Rotations are rounded to multiples of this, which float16 and bfloat16 hold exactly: a network hashes by the same
# numbers whatever precision it was cast to.
STEP = 1 / 32


def rotations(dim: int, rounds: int, buckets: int, seed: int) -> Tensor:
    """Random directions (dim, rounds * buckets / 2): the same numbers for the same arguments, always."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(dim, rounds * buckets // 2, generator=generator, device="cpu")
    return (drawn / STEP).round() * STEP


def bucket(patches: Tensor, rotation: Tensor, rounds: int) -> Tensor:
    """Hash patches: argmax([xR; -xR]) in every round (Eq. 5).

    The paper takes patches to the unit sphere first; a positive factor does not move the argmax, so that is left out.

    Args:
        patches: (G, n, dim).
        rotation: `rotations`, (dim, rounds * buckets / 2).
        rounds: independent hashes.

    Returns:
        int64 (G, rounds, n), 0..buckets-1. Of equal projections the first counts.
    """
    with full_precision(patches, rotation) as (exact, directions):
        along = torch.matmul(exact, directions.to(exact.dtype))
        along = along.reshape(*patches.shape[:2], rounds, -1).transpose(1, 2)
        projections = torch.cat((along, -along), dim=-1)
        largest = projections.argmax(dim=-1, keepdim=True)
        return settled(projections, largest, lambda: _products(exact, directions))[..., 0]


def _products(patches: Tensor, directions: Tensor) -> Tensor:
    """The length of each patch (G, n, dim) times that of the longest direction: (G, 1, n, 1)."""
    products: Tensor = patches.norm(dim=-1, keepdim=True) * directions.norm(dim=0).amax()
    return products[:, None]


def counting_sort(codes: Tensor, buckets: int) -> tuple[Tensor, Tensor]:
    """Sort by bucket, equal ones in the order they come (Eq. 6): a stable sort by counting alone.

    What it is made of, comparison, cumulative sum and scatter, every runtime has; a stable sort, few.

    Args:
        codes: int64 (..., n), values 0..buckets-1.
        buckets: how many values there are.

    Returns:
        (order, rank), int64 (..., n): the sorted sequence is `codes[order]`, and element i of `codes` is its place
        `rank[i]`.
    """
    size = codes.shape[-1]
    member = (codes[..., None] == torch.arange(buckets, device=codes.device)).to(torch.int32)
    before_in_bucket = member.cumsum(dim=-2) - member
    in_bucket = member.sum(dim=-2, keepdim=True)
    before_bucket = in_bucket.cumsum(dim=-1) - in_bucket
    rank = ((before_in_bucket + before_bucket) * member).sum(dim=-1)
    index = torch.arange(size, device=codes.device).expand_as(rank)
    return torch.zeros_like(rank).scatter(-1, rank, index), rank
