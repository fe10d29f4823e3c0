from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from models.ipt_v2.attention import GlobalGridAttention, overlaps

CELL, SIDE = 16, 64


def slope(*, faded: bool) -> Tensor:
    """What untrained attention makes of brightness that rises evenly from left to right: (SIDE, SIDE)."""
    torch.manual_seed(0)
    attention = GlobalGridAttention(1, 1, 4, CELL, faded=faded).double()
    for weight in (attention.qkv.weight, attention.project.weight):
        nn.init.ones_(weight)
    rising = torch.linspace(0, 4, SIDE, dtype=torch.float64).expand(1, SIDE, SIDE).unsqueeze(-1)
    with torch.inference_mode():
        return attention(rising)[0, ..., 0]  # type: ignore[no-any-return]


def test_nothing_jumps_where_faded_cells_begin() -> None:
    side_by_side, faded = (slope(faded=faded).diff(dim=1).abs() for faded in (False, True))
    borders = torch.arange(CELL, SIDE, CELL) - 1
    inside = torch.ones(SIDE - 1, dtype=torch.bool).index_fill(0, borders, False)
    assert side_by_side[:, borders].min() > 4 * side_by_side[:, inside].max()  # it can be seen where they meet
    assert faded.max() < side_by_side.max() / 4
    assert faded[:, borders].max() <= faded[:, inside].max()


@pytest.mark.parametrize("side", [8, 12, 16, 20, 36])
def test_the_weights_of_overlapping_cells_add_up_to_one(side: int) -> None:
    total = torch.zeros(side)
    for start, weights in overlaps(side, 8, total):
        assert len(weights) % 8 == 0
        total[start : start + len(weights)] += weights
    torch.testing.assert_close(total, torch.ones(side))


def test_a_side_of_one_cell_has_one_row_of_cells() -> None:
    assert [start for start, _ in overlaps(8, 8, torch.ones(1))] == [0]
    assert [start for start, _ in overlaps(12, 8, torch.ones(1))] == [0, 4]
