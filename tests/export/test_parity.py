from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export import parity, runners
from export.parity import Figures
from models.network import RestorationNetwork

TILE = 64


def test_the_exported_graph_is_the_network(network: RestorationNetwork, graph: Path) -> None:
    inputs = parity.tiles(TILE, 3)
    expected = parity.answers(network, inputs)
    assert np.abs(expected - inputs).max() > 0.1  # the network does something
    figures = parity.compare(expected, runners.load("onnx", graph), inputs)
    assert figures.max_abs <= 1e-5
    assert figures.within("fp32")


def test_a_runner_that_mixes_up_the_batch_is_found_out(network: RestorationNetwork, graph: Path) -> None:
    inputs = parity.tiles(TILE, 3)
    run = runners.load("onnx", graph)
    assert not parity.compare(parity.answers(network, inputs), lambda tiles: run(tiles)[::-1], inputs).within("fp32")


def test_a_runner_that_is_wrong_for_one_tile_alone_is_found_out() -> None:
    inputs = parity.tiles(TILE, 1)
    figures = parity.compare(inputs, lambda tiles: tiles if len(tiles) > 1 else tiles + 1e-3, inputs)
    assert figures.max_abs == pytest.approx(1e-3, rel=1e-3)


def test_inputs_are_pictures_and_noise_in_range() -> None:
    inputs = parity.tiles(48, 3)
    assert inputs.shape == (3, 3, 48, 48)
    assert inputs.dtype == np.float32
    assert inputs.min() >= 0
    assert inputs.max() <= 1
    assert len({tile.tobytes() for tile in inputs}) == 3


def test_figures_of_a_known_difference() -> None:
    zero = np.zeros((1, 1, 4, 4), np.float32)
    figures = parity.difference(zero, zero + 0.01)
    assert figures.max_abs == pytest.approx(0.01)
    assert figures.psnr_db == pytest.approx(40, abs=1e-3)
    assert parity.difference(zero, zero) == Figures(0.0, 200.0)


@pytest.mark.parametrize("broken", [np.full((1, 1, 4, 4), np.nan, np.float32), np.zeros((1, 1, 4, 5), np.float32)])
def test_nan_and_wrong_shapes_are_never_within(broken: np.ndarray) -> None:
    figures = parity.difference(np.zeros((1, 1, 4, 4), np.float32), broken)
    assert not figures.within("fp32")
    assert not figures.within("fp16")


def test_the_bounds() -> None:
    assert Figures(1e-4, 90).within("fp32")
    assert not Figures(1.1e-4, 90).within("fp32")
    assert Figures(1e-2, 60).within("fp16")
    assert not Figures(1e-6, 59.9).within("bf16")
