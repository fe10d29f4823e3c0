from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export import seams
from export.runners import Runner
from models.network import RestorationNetwork


class Blur(RestorationNetwork):
    """A box blur of radius 9 pixels: its tiles are right beyond that distance from a cut, and visibly wrong within."""

    in_channels = out_channels = 3
    lattice = 8

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.full((3, 1, 19, 19), 1 / 19**2))

    def restore(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.kernel, padding=9, groups=3)


class Mean(Blur):
    """Every pixel depends on the whole picture: no halo is enough."""

    def restore(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True).expand_as(x)


def runner(network: RestorationNetwork) -> Runner:
    def run(tiles: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network.restore(torch.from_numpy(tiles)).numpy()

    return run


@pytest.fixture(autouse=True)
def _generated_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSEAM_DATA", raising=False)


def test_the_smallest_halo_that_hides_the_cuts_is_found() -> None:
    network = Blur()
    tried: list[int] = []
    figures = seams.calibrate(network, runner(network), 96, tried.append)
    assert [one.halo for one in figures] == tried
    assert all(one.max_lsb >= seams.CALIBRATED_LSB for one in figures[:-1])
    assert figures[-1].max_lsb < seams.CALIBRATED_LSB
    assert 9 <= figures[-1].halo <= 20  # the blend reaches half a halo to either side of a cut
    assert figures[-1].jump == pytest.approx(1, abs=0.002)
    assert not figures[-1].photographs


def test_a_halo_is_looked_for_on_larger_tiles_where_the_smaller_ones_have_no_room() -> None:
    network = Blur()
    figures = seams.calibrate_rising(network, runner(network), (24, 32, 96, 192), lambda pixels: [])
    assert [(one.tile, one.halo) for one in figures[:3]] == [(24, 4), (32, 8), (96, 12)]
    assert figures[-1].tile == 96
    assert figures[-1].max_lsb < seams.CALIBRATED_LSB


def test_pictures_shown_count_as_the_others_do() -> None:
    network = Mean()
    shown = np.zeros((seams.side(96), seams.side(96), 3), np.float32)
    (figures,) = seams.measure(network, runner(network), 96, [24], [shown])
    assert figures.pictures == 2


def test_a_halo_that_one_picture_refuses_is_not_tried_on_the_others_but_the_last_is() -> None:
    network, shown = Mean(), [np.random.default_rng(0).random((seams.side(96), seams.side(96), 3), np.float32)]
    figures = seams.measure(network, runner(network), 96, [8, 16, 24], shown, enough_lsb=seams.CALIBRATED_LSB)
    assert [one.pictures for one in figures] == [1, 1, 2]


def test_where_no_halo_is_enough_the_largest_tolerable_one_is_taken_and_the_figures_say_so() -> None:
    network = Mean()
    figures = seams.calibrate(network, runner(network), 96)
    assert figures[-1].halo == 24  # half the tile's side is left: four times the work
    assert figures[-1].max_lsb > seams.CALIBRATED_LSB
