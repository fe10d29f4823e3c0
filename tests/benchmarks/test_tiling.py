from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import tiling
from imaging.tiling import plan


def test_averaged_tiles_of_a_network_that_sees_no_neighbours_are_the_picture() -> None:
    picture = np.random.default_rng(0).random((70, 90, 3), dtype=np.float32)
    cut = plan(70, 90, tile=40, halo=8)

    def answer(position: tuple[int, int]) -> np.ndarray:
        rows, columns = cut.rows.source(position[0]), cut.columns.source(position[1])
        return picture[np.ix_(rows, columns)].transpose(2, 0, 1)

    assert np.abs(tiling.averaged(picture, answer, cut) - picture).max() < 1e-6


def test_an_error_at_the_cuts_shows_in_the_ratio() -> None:
    difference = np.ones((100, 80), dtype=np.float32)
    assert tiling.near_over_elsewhere(difference, [50], [40]) == 1
    difference[45:55] = 11
    ratio = tiling.near_over_elsewhere(difference, [50], [])
    assert ratio == pytest.approx((10 * 11 + 22) / 32)
    assert tiling.near_over_elsewhere(difference, [], []) is None


def test_the_heat_map_has_a_panel_for_each_way(tmp_path: Path) -> None:
    tiling.draw({way: np.zeros((60, 80), dtype=np.float32) for way in ("a", "b", "c")}, tmp_path / "heat.png")
    with Image.open(tmp_path / "heat.png") as image:
        assert image.size == (3 * 408 - 8, 322)
