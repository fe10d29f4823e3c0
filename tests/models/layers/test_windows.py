from __future__ import annotations

import pytest
import torch

from models.layers.attention import attend
from models.layers.windows import ROLLED_PENALTY, Windows, merge, partition, reflected_index, rolled_penalty


def test_merging_undoes_partitioning() -> None:
    x = torch.randn(2, 8, 12, 5)
    assert torch.equal(merge(partition(x, (4, 6)), (4, 6), 8, 12), x)


def test_windows_are_listed_row_by_row() -> None:
    x = torch.arange(16.0).reshape(1, 4, 4, 1)
    assert partition(x, (2, 2))[..., 0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


@pytest.mark.parametrize("border", ["reflect", "roll"])
@pytest.mark.parametrize("offset", [(0, 0), (2, 3), (0, 3), (3, 0)])
def test_joining_undoes_splitting(border: str, offset: tuple[int, int]) -> None:
    grid = Windows((4, 6), offset, border)  # type: ignore[arg-type]
    x = torch.randn(2, 8, 12, 3)
    windows = grid.split(x)
    rows, columns = grid.shape(8, 12)
    assert windows.shape == (2 * rows * columns, 24, 3)
    assert torch.equal(grid.join(windows, 8, 12), x)


def test_the_overhang_is_a_reflection_and_marked_as_fill() -> None:
    grid = Windows((2, 4), (0, 2))
    x = torch.tensor([[1.0, 2, 3, 4], [5, 6, 7, 8]])[None, ..., None]
    assert grid.split(x)[..., 0].tolist() == [[3, 2, 1, 2, 7, 6, 5, 6], [3, 4, 3, 2, 7, 8, 7, 6]]
    filled = grid.filled(2, 4)
    assert filled is not None
    assert filled.tolist() == [[True, True, False, False] * 2, [False, False, True, True] * 2]


def test_a_plain_grid_has_no_fill() -> None:
    assert Windows((4, 4)).filled(8, 8) is None


def test_a_window_that_does_not_divide_the_map_is_refused() -> None:
    with pytest.raises(ValueError, match="window 8x8 does not divide feature map 16x20"):
        Windows((8, 8)).split(torch.zeros(1, 16, 20, 1))


def test_an_offset_outside_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="not within a window"):
        Windows((8, 8), (8, 0))


def test_a_grid_scales_with_its_map() -> None:
    assert Windows((8, 16), (4, 8)).scaled(4) == Windows((2, 4), (1, 2))
    with pytest.raises(ValueError, match="3 does not divide"):
        Windows((8, 16)).scaled(3)


def test_reflection_goes_back_and_forth_on_a_short_side() -> None:
    assert reflected_index(3, 4, 3).tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0, 1]
    assert reflected_index(1, 1, 2).tolist() == [0, 0, 0, 0]


def test_reflected_and_masked_windows_are_rolled_ones_with_an_infinite_penalty() -> None:
    q, k, v = torch.randn(3, 2, 8, 12, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    bias = torch.zeros(1, 1, 24, 24, dtype=torch.float64)

    def attended(grid: Windows) -> torch.Tensor:
        parts = [grid.split(t)[:, None] for t in (q, k, v)]
        if grid.border == "roll":
            regions = grid.regions(8, 12)
            penalty = rolled_penalty(regions, regions) / ROLLED_PENALTY * -1e9
            out = attend(*parts, penalty[:, None].double().repeat(2, 1, 1, 1))
        else:
            out = attend(*parts, bias, grid.filled(8, 12))
        return grid.join(out[:, 0], 8, 12)

    reflect, roll = attended(Windows((4, 6), (2, 3))), attended(Windows((4, 6), (2, 3), "roll"))
    assert (reflect - roll).abs().max() < 1e-12
