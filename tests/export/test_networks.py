"""Every network, in each of its geometries for laptops but with fewer layers: exported, compared, built by TensorRT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime as ort
import pytest
import torch
from torch._dynamo.testing import CompileCounter

from export import parity, runners, to_onnx, to_tensorrt
from export.divergence import graph_outputs, layer_outputs
from export.figures import compare
from export.fold import fold
from export.manifest import Precision
from export.runners.torch import compiled
from export.swap import swap
from models import build
from models.network import RestorationNetwork

GRL = {"depths": (2,), "num_heads_window": (2,), "num_heads_stripe": (2,)}
FEWER: dict[str, tuple[str, str, dict[str, Any]]] = {
    "denoise": ("semanir", "tiny_denoise", {"down": ((), (2,)), "up": ((1,),)}),
    "demosaic": ("semanir", "tiny_demosaic", {"down": ((), (2,)), "up": ((1,),)}),
    "weather": (
        "ipt_v2",
        "tiny_deep_faded",
        {"depths": (2, 2), "num_heads": (1, 2), "window": 16, "cell": 32},
    ),
    "deblur": ("kit", "tiny_deblur", {"depths": (1, 1), "cell": 32}),
    "x2": ("grl", "tiny_laptop_x2", GRL),
    "x3": ("grl", "tiny_laptop_x3", GRL),
    "x4": ("grl", "tiny_laptop_x4", GRL),
    "dejpeg": (
        "iitransformer",
        "tiny",
        {  # with four patches a side seen at once, so that the shifted layer's five are done by blocks
            "num_heads": (4, 4),
            "kinds": (("intra",) * 2, ("inter",) * 2),
            "shifts": ((0, 4),) * 2,
            "trained_size": (16, 16),
        },
    ),
}
TILE = 64


@pytest.fixture(scope="module", params=FEWER)
def network(
    request: pytest.FixtureRequest, randomise: Callable[[RestorationNetwork], RestorationNetwork]
) -> RestorationNetwork:
    architecture, config, fewer = FEWER[request.param]
    torch.manual_seed(0)
    return randomise(build.create(architecture, replace(build.configs(architecture)[config], **fewer)))


@pytest.fixture(scope="module")
def graph(network: RestorationNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graph") / "64.onnx"
    to_onnx.export(swap(fold(network), "gather"), path, TILE)
    return path


def test_the_graph_is_the_network(network: RestorationNetwork, graph: Path) -> None:
    inputs = parity.tiles(TILE, network.in_channels)
    expected = parity.expected(network, inputs)
    assert expected.answers.std() > 0.1
    assert compare(expected, runners.load("onnx", graph, threads=1), inputs).max_abs <= 1e-5


def test_every_layer_is_found_in_the_graph_by_its_name(network: RestorationNetwork, graph: Path) -> None:
    inputs = parity.tiles(TILE, network.in_channels)[:1]
    expected = layer_outputs(fold(network), inputs)
    lost = expected.keys() - graph_outputs(graph, list(expected), inputs)
    assert {name for name in lost if ".bias" not in name} == set()  # position biases become constants


def test_tensorrt_takes_the_graph(graph: Path) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    assert len(to_tensorrt.build(trt, graph)) > 10_000


def test_torch_compiles_it_as_one_graph_for_one_tile_and_one_for_all_batches(
    network: RestorationNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = CompileCounter()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, fullgraph=True, backend=counter))
    torch.compiler.reset()
    restore = compiled(network.restore)
    with torch.inference_mode():
        for batch in (1, 2, 3, 5):
            tiles = torch.rand(batch, network.in_channels, TILE, TILE)
            assert torch.equal(restore(tiles), network.restore(tiles))
    assert counter.frame_count == 2


@pytest.mark.parametrize(("precision", "least_db"), [("fp16", 55), ("bf16", 45)])
def test_the_graph_in_half_precision_is_near_the_network_and_tensorrt_takes_it(
    network: RestorationNetwork, tmp_path: Path, precision: Precision, least_db: float
) -> None:
    path = tmp_path / "64.onnx"
    to_onnx.export(swap(fold(network), "mask"), path, TILE, precision)
    session = ort.InferenceSession(to_onnx.widened(path).SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = parity.tiles(TILE, network.in_channels)
    expected = parity.expected(network, inputs)
    found = compare(expected, lambda tiles: session.run(None, {"input": tiles})[0], inputs)
    assert found.psnr_db >= least_db
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    assert len(to_tensorrt.build(trt, path)) > 10_000
