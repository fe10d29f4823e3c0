"""KiT sorts what it hashed: more keys than TensorRT's own selection takes (3840)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export import runners, to_onnx, to_tensorrt
from models.kit.hashing import counting_sort
from models.network import RestorationNetwork

SIDE = 128  # 16,384 keys
BUCKETS = 64


class Sorter(RestorationNetwork):
    """Sorts the values of a tile by which of 64 equal ranges they are in."""

    in_channels = out_channels = lattice = 1

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))  # a network without any weight is none

    def restore(self, x: Tensor) -> Tensor:
        values = self.gain * x.flatten(1)
        order, _ = counting_sort((values * BUCKETS).long(), BUCKETS)
        return values.gather(-1, order).reshape(x.shape)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "sort.onnx"
    to_onnx.export(Sorter().eval(), path, SIDE)
    return path


def test_the_graph_sorts_and_keeps_the_order_of_equal_keys(graph: Path) -> None:
    tile = np.random.default_rng(0).random((1, 1, SIDE, SIDE), dtype=np.float32)
    values = tile.ravel()
    wanted = values[np.argsort((values * BUCKETS).astype(int), kind="stable")]
    assert np.array_equal(runners.load("onnx", graph, threads=1)(tile).ravel(), wanted)


def test_tensorrt_takes_it(graph: Path) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    assert len(to_tensorrt.build(trt, graph)) > 10_000
