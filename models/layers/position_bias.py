"""Position bias: what an attention score gains from where the key lies as seen from the query."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.layers.windows import Size


def spread(table: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Read a table of offsets for every pair of a query and a key.

    Args:
        table: (num_heads, L_h, L_w), one entry per offset.
        rows: integers (q_h, k_h), the table's row for a query's and a key's row.
        columns: integers (q_w, k_w), likewise.

    Returns:
        (num_heads, q_h * q_w, k_h * k_w). The table is read axis by axis, so no index of all pairs is ever stored.
    """
    (q_h, k_h), (q_w, k_w) = rows.shape, columns.shape
    bias = table.index_select(1, rows.flatten()).index_select(2, columns.flatten())
    bias = bias.reshape(-1, q_h, k_h, q_w, k_w).transpose(2, 3)
    return bias.reshape(-1, q_h * q_w, k_h * k_w)


def offsets(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """Offset query - key along one axis, counted from the smallest: (queries, keys), values 0..queries+keys-2."""
    query, key = torch.arange(queries, device=device), torch.arange(keys, device=device)
    return query[:, None] - key[None, :] + keys - 1


class RelativePositionBias(nn.Module):
    """A learned table, one value per offset and head (Swin).

    Args:
        size: (h, w) of the window, or of the map of patches.
        num_heads: attention heads.

    Attributes:
        table: ((2h-1) * (2w-1), num_heads), row-major in (dy, dx).
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, size: Size, num_heads: int) -> None:
        super().__init__()
        self.size = size
        self.table = nn.Parameter(torch.empty((2 * size[0] - 1) * (2 * size[1] - 1), num_heads))
        nn.init.trunc_normal_(self.table, std=0.02)
        self.register_buffer("rows", offsets(size[0], size[0]), persistent=False)
        self.register_buffer("columns", offsets(size[1], size[1]), persistent=False)

    def grid(self) -> Tensor:
        """The table as (num_heads, 2h-1, 2w-1)."""
        h, w = self.size
        return self.table.t().reshape(-1, 2 * h - 1, 2 * w - 1)

    def forward(self) -> Tensor:
        """Bias of every pair in a window: (num_heads, h*w, h*w)."""
        return spread(self.grid(), self.rows, self.columns)


class ContinuousPositionBias(nn.Module):
    """A small MLP on log-spaced offsets (Swin V2, GRL, SemanIR): 16 * sigmoid(MLP(offset)), between 0 and 16.

    Args:
        queries: (h, w) of the query window.
        keys: (h, w) of the key window; where it differs from `queries`, one of the two is a window of anchors and the
            offset is counted in tokens of each grid, as GRL's own code counts it.
        num_heads: attention heads.
        hidden: width of the MLP.
    """

    offsets: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(self, queries: Size, keys: Size, num_heads: int, hidden: int = 512) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, num_heads, bias=False))
        self.register_buffer("offsets", log_spaced_offsets(queries, keys), persistent=False)
        self.register_buffer("rows", offsets(queries[0], keys[0]), persistent=False)
        self.register_buffer("columns", offsets(queries[1], keys[1]), persistent=False)

    def grid(self) -> Tensor:
        """Bias of every offset: (num_heads, L_h, L_w), L = queries + keys - 1."""
        table = 16 * torch.sigmoid(self.mlp(self.offsets.to(next(self.mlp.parameters()).dtype)))
        return table.permute(2, 0, 1)

    def forward(self) -> Tensor:
        """Bias of every pair: (num_heads, Nq, Nk)."""
        return spread(self.grid(), self.rows, self.columns)


def log_spaced_offsets(queries: Size, keys: Size) -> Tensor:
    """Offsets between a window and its anchors as the MLP sees them: (L_h, L_w, 2), L = queries + keys - 1.

    The larger of the two windows spans the offsets, the smaller lies in its middle; an offset is divided by the largest
    positive one, times 8, and drawn together by sign(o) * log2(|o| + 1) / log2(8).
    """
    axes = []
    for query, key in zip(queries, keys, strict=True):
        large, small = max(query, key), min(query, key)
        margin = (large - small) // 2
        place = torch.arange(-(small - 1) - margin, large - margin, dtype=torch.float64)
        place = 8 * place / max(large - 1 - margin, 1)
        axes.append(torch.sign(place) * torch.log2(place.abs() + 1) / math.log2(8))
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).float()
