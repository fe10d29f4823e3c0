"""Local attention by blocks: which keys a block of neighbouring queries needs, along one axis."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Blocks:
    """Queries 0..length-1 cut into blocks, and for each block all keys that any of its queries can reach.

    A short axis is one block that sees all keys; a longer one is cut into blocks of `reach` queries with 3 * reach - 2
    keys each. Places beyond the axis are clamped: such queries are dropped afterwards, such keys are masked.

    Attributes:
        queries: (count, block) places of the queries.
        keys: (count, span) places of the keys.
        offsets: (block, span), query - key, the same in every block.
        masked: bool (count, span), keys that nobody may use.
        whole: whether it is one block of exactly the axis.
        open: whether no key is masked.
    """

    queries: Tensor
    keys: Tensor
    offsets: Tensor
    masked: Tensor
    whole: bool
    open: bool

    @classmethod
    def along(cls, length: int, reach: int, *, without_ends: bool, device: torch.device) -> Blocks:
        """Cut an axis of `length` where |offset| < reach; `without_ends` takes both end places from the keys."""
        whole = length <= 3 * reach - 2
        block, margin = (length, 0) if whole else (reach, reach - 1)
        start = torch.arange(0, length, block, device=device)[:, None]
        queries = start + torch.arange(block, device=device)
        keys = start + torch.arange(-margin, block + margin, device=device)
        first, last = (1, length - 2) if without_ends else (0, length - 1)
        return cls(
            queries=queries.clamp(max=length - 1),
            keys=keys.clamp(0, length - 1),
            offsets=queries[0][:, None] - keys[0][None, :],
            masked=(keys < first) | (keys > last),
            whole=whole,
            open=whole and not without_ends,
        )


def cut(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Read blocks from (B, heads, R, C, D): (B * m * n, heads, r * c, D) for `rows` (m, r) and `columns` (n, c)."""
    batch, heads, _, _, dim = x.shape
    (m, r), (n, c) = rows.shape, columns.shape
    x = x.index_select(2, rows.flatten()).index_select(3, columns.flatten())
    x = x.reshape(batch, heads, m, r, n, c, dim).permute(0, 2, 4, 1, 3, 5, 6)
    return x.reshape(batch * m * n, heads, r * c, dim)


def uncut(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Undo `cut`, the places repeated by clamping included: (B, heads, m * r, n * c, D)."""
    _, heads, _, dim = x.shape
    (m, r), (n, c) = rows.shape, columns.shape
    x = x.reshape(-1, m, n, heads, r, c, dim).permute(0, 3, 1, 4, 2, 5, 6)
    return x.reshape(-1, heads, m * r, n * c, dim)


def either(rows: Tensor, columns: Tensor) -> Tensor:
    """Keys masked along one axis or the other: bool (m * n, r * c) from `rows` (m, r) and `columns` (n, c)."""
    return (rows[:, None, :, None] | columns[None, :, None, :]).flatten(2).flatten(0, 1)
