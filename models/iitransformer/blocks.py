"""Local attention by blocks: which keys a block of neighbouring queries needs, along one axis."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Blocks:
    """Queries 0..length-1 cut into blocks, and for each block all keys that any of its queries can reach.

    An axis of up to 4 * reach + 1 places (a tile of 256 and its shifted grid) is one block that sees all keys: more
    products, and still less time than copying the keys. A longer one is cut into blocks of `reach` queries with
    3 * reach - 2 keys each. Places beyond the axis are clamped: such queries are dropped afterwards, such keys are
    masked.

    Attributes:
        queries: (count, block) places of the queries.
        keys: (count, span) places of the keys.
        offsets: (block, span), query - key, the same in every block.
        masked: bool (count, span), keys that nobody may use.
        whole: whether it is one block of exactly the axis.
    """

    queries: Tensor
    keys: Tensor
    offsets: Tensor
    masked: Tensor
    whole: bool

    @classmethod
    def along(cls, length: int, reach: int, *, without_ends: bool, device: torch.device) -> Blocks:
        """Cut an axis of `length` where |offset| < reach; `without_ends` takes both end places from the keys."""
        whole = length <= 4 * reach + 1
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
        )


def cut(x: Tensor, rows: Tensor, columns: Tensor, stride: int) -> Tensor:
    """Read blocks from a map with `stride` columns, (B, heads, R * C, D): (B * heads, m * n, r * c, D).

    Args:
        x: the map's tokens, row by row.
        rows: (m, r) places.
        columns: (n, c) places.
        stride: columns of the map.
    """
    at = rows[:, None, :, None] * stride + columns[None, :, None, :]
    read = x.index_select(2, at.flatten())
    blocks, tokens = rows.shape[0] * columns.shape[0], rows.shape[1] * columns.shape[1]
    return read.reshape(-1, blocks, tokens, x.shape[-1])


def uncut(x: Tensor, down: Blocks, across: Blocks, rows: int, columns: int) -> Tensor:
    """Put queries in blocks, (B, heads, m * n * r * c, D), back row by row, (B, heads, rows * columns, D)."""
    (_, r), (n, c) = down.queries.shape, across.queries.shape
    row, column = (torch.arange(side, device=x.device) for side in (rows, columns))
    block = (row // r)[:, None] * n + column // c
    within = (row % r)[:, None] * c + column % c
    return x.index_select(2, (block * r * c + within).flatten())


def either(rows: Tensor, columns: Tensor) -> Tensor:
    """Keys masked along one axis or the other: bool (m * n, 1, r * c) from `rows` (m, r) and `columns` (n, c)."""
    return (rows[:, None, :, None] | columns[None, :, None, :]).flatten(2).flatten(0, 1)[:, None]
