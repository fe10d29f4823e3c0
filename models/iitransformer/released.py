"""What the released code computes instead of Eq. 6, for checks against it (`reference_bias`).

It flattens an offset with the test picture's stride but reads the training picture's table, so above the training size
most pairs get another pair's bias, and it penalises by -100 where Eq. 6 excludes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.layers.windows import ROLLED_PENALTY, Size


def flat_index_bias(table: Tensor, reach: Size, rows: int, columns: int) -> Tensor:
    """Bias (num_heads, N, N) of a picture of rows x columns patches, N = rows * columns, from the trained `table`."""
    stride = 2 * reach[1] - 1 if (rows, columns) == reach else 2 * rows - 1  # rows, not columns: that is the code
    patch = torch.arange(rows * columns, device=table.device)
    y, x = patch // columns, patch % columns
    offset = stride * (y[:, None] - y[None, :]) + x[:, None] - x[None, :]
    index = offset + (2 * reach[1] - 1) * (reach[0] - 1) + reach[1] - 1
    beyond = (index < 0) | (index >= len(table))
    bias = table[index.clamp(0, len(table) - 1)].masked_fill(beyond[..., None], ROLLED_PENALTY)
    return bias.permute(2, 0, 1)


def edge_penalty(rows: int, columns: int, device: torch.device) -> Tensor:
    """Penalty (N, N) on the last row and column of patches, which a cyclic shift fills from the opposite border."""
    patch = torch.arange(rows * columns, device=device)
    last = (patch // columns == rows - 1) | (patch % columns == columns - 1)
    return (last[:, None] | last[None, :]) * ROLLED_PENALTY
