from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export import parity, probe, runners
from export.figures import compare, difference
from export.to_onnx import ExportError
from models.layers.near_ties import settled
from models.network import RestorationNetwork

TILE = 64


def test_the_exported_graph_is_the_network(network: RestorationNetwork, graph: Path) -> None:
    inputs = parity.tiles(TILE, 3)
    expected = parity.expected(network, inputs)
    assert np.abs(expected.answers - inputs).max() > 0.1  # the network does something
    assert expected.decided is None
    figures = compare(expected, runners.load("onnx", graph), inputs)
    assert figures.max_abs <= 1e-5
    assert figures.within("fp32")


def test_a_runner_that_mixes_up_the_batch_is_found_out(network: RestorationNetwork, graph: Path) -> None:
    inputs = parity.tiles(TILE, 3)
    run = runners.load("onnx", graph)
    assert not compare(parity.expected(network, inputs), lambda tiles: run(tiles)[::-1], inputs).within("fp32")


def test_inputs_are_a_picture_and_the_probes_tile_in_range() -> None:
    inputs = parity.tiles(48, 3)
    assert inputs.shape == (2, 3, 48, 48)
    assert inputs.dtype == np.float32
    assert inputs.min() >= 0
    assert inputs.max() <= 1
    assert np.array_equal(inputs[1:], probe.tile(probe.picture(3), 48))
    assert np.abs(np.diff(inputs[0])).mean() < np.abs(np.diff(inputs[1])).mean()


class Brighter(RestorationNetwork):
    """Adds 0.1 or 0.2 to each half, whichever half has the larger sum."""

    in_channels = out_channels = 1
    lattice = 4

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.Parameter(torch.tensor([0.1, 0.2]))

    def restore(self, x: Tensor) -> Tensor:
        top, bottom = x.unflatten(2, (2, -1)).unbind(2)
        sums = torch.stack((top[..., 0, 0], bottom[..., 0, 0]), -1)
        chosen = settled(sums, sums.argmax(-1, keepdim=True), lambda: torch.tensor(1.0))
        return torch.cat((top + self.steps[chosen[..., None]], bottom), 2)


@pytest.mark.parametrize(("gap", "undecided"), [(1e-2, 0.0), (1e-7, 0.5)])
def test_values_that_a_near_tie_decides_are_told_apart(gap: float, undecided: float) -> None:
    inputs = np.full((1, 1, 4, 4), 0.5, np.float32)
    inputs[..., 0, 0] += gap
    expected = parity.expected(Brighter(), inputs)

    def other_way(tiles: np.ndarray) -> np.ndarray:
        return expected.answers + np.array([0.1, 0.1, 0, 0], np.float32)[:, None]

    figures = difference(expected, other_way(inputs))
    assert figures.undecided == undecided
    assert figures.max_abs == pytest.approx(0.0 if undecided else 0.1)
    assert figures.psnr_db < 30
    assert not figures.within("fp32")  # as many as that, and as far off, is no rounding


def test_a_network_that_answers_no_numbers_is_not_held_against_the_graph(network: RestorationNetwork) -> None:
    broken = copy.deepcopy(network)
    with torch.no_grad():
        next(broken.parameters()).fill_(float("nan"))
    with pytest.raises(ExportError, match="the network itself answers no numbers"):
        parity.expected(broken, parity.tiles(TILE, 3))
