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
        masked: bool (count, span), keys that nobody may use; None where there is none.
    """

    queries: Tensor
    keys: Tensor
    offsets: Tensor
    masked: Tensor | None

    @classmethod
    def along(cls, length: int, reach: int, *, without_ends: bool, device: torch.device) -> Blocks:
        """Cut an axis of `length` where |offset| < reach; `without_ends` takes both end places from the keys."""
        whole = length <= 3 * reach - 2
        block, margin = (length, 0) if whole else (reach, reach - 1)
        start = torch.arange(0, length, block, device=device)[:, None]
        queries = start + torch.arange(block, device=device)
        keys = start + torch.arange(-margin, block + margin, device=device)
        masked = None
        if without_ends or not whole:
            first, last = (1, length - 2) if without_ends else (0, length - 1)
            masked = (keys < first) | (keys > last)
        return cls(
            queries.clamp(max=length - 1), keys.clamp(0, length - 1), queries[0][:, None] - keys[0][None, :], masked
        )


def cut(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Read blocks from (B, heads, R, C, D): (B * n, heads, r * c, D) for `rows` (r,) and `columns` (n, c)."""
    batch, heads, _, _, dim = x.shape
    count, block = columns.shape
    x = x.index_select(2, rows).index_select(3, columns.flatten())
    x = x.reshape(batch, heads, len(rows), count, block, dim).permute(0, 3, 1, 2, 4, 5)
    return x.reshape(batch * count, heads, len(rows) * block, dim)


def uncut(x: Tensor, count: int, rows: int) -> Tensor:
    """Put the blocks (B * n, heads, r * c, D) of one strip side by side: (B, heads, r, n * c, D)."""
    _, heads, area, dim = x.shape
    x = x.reshape(-1, count, heads, rows, area // rows, dim).permute(0, 2, 3, 1, 4, 5)
    return x.reshape(-1, heads, rows, count * (area // rows), dim)


def union(rows: Tensor | None, columns: Tensor | None, span_rows: int, span_columns: int) -> Tensor | None:
    """Keys masked along either axis: bool (n, r * c) from `rows` (r,) and `columns` (n, c); None for none."""
    if rows is None and columns is None:
        return None
    if columns is None:
        assert rows is not None
        return rows[:, None].expand(-1, span_columns).reshape(1, -1)
    if rows is None:
        return columns[:, None, :].expand(-1, span_rows, -1).flatten(1)
    return (rows[:, None] | columns[:, None, :]).flatten(1)
