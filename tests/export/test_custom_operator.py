from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import torch

from export import custom_operator, parity, plugin, runners, to_onnx, to_tensorrt
from export.figures import MAX_ABS_FP32, compare
from export.fold import fold
from export.swap import swap
from models import build
from models.network import RestorationNetwork

TILE = 64


@pytest.fixture(scope="module")
def attentive(randomise: Callable[[RestorationNetwork], RestorationNetwork]) -> RestorationNetwork:
    torch.manual_seed(0)
    config = replace(build.configs("semanir")["tiny_demosaic"], down=((), (2,)), up=((1,),))
    return randomise(build.create("semanir", config))


@pytest.fixture(scope="module")
def operator_graph(attentive: RestorationNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("operator") / "64.onnx"
    to_onnx.export(swap(fold(attentive), "operator"), path, TILE)
    return path


def test_the_graph_holds_a_node_for_each_attention_and_says_what_it_computes(operator_graph: Path) -> None:
    model = onnx.load(operator_graph)
    assert [(node.domain, node.op_type) for node in custom_operator.nodes(model)] == [
        ("unseam", "key_semantic_attention")
    ] * 3
    assert [(function.domain, function.name) for function in model.functions] == [("unseam", "key_semantic_attention")]
    plugins = {(a.name, a.s) for node in custom_operator.nodes(model) for a in node.attribute}
    assert plugins == {("plugin_namespace", b"unseam"), ("plugin_version", b"1")}
    assert {entry.version for entry in model.opset_import if entry.domain == "unseam"} == {1}
    assert [one.name for one in (*model.graph.input, *model.graph.output)] == ["input", "output"]


def test_onnx_runtime_runs_the_body(attentive: RestorationNetwork, operator_graph: Path) -> None:
    inputs = parity.tiles(TILE, 1)
    figures = compare(parity.expected(attentive, inputs), runners.load("onnx", operator_graph, threads=1), inputs)
    assert figures.max_abs <= 1e-4
    assert figures.psnr_db > 90


def test_tensorrt_without_our_plugin_takes_the_body(operator_graph: Path) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    assert len(to_tensorrt.build(trt, operator_graph)) > 10_000


def test_what_is_cut_out_is_put_back_where_it_was(operator_graph: Path) -> None:
    model = onnx.load(operator_graph)
    rest, ours = custom_operator.cut_out(model)
    assert custom_operator.nodes(rest) == []
    assert len(rest.graph.input) == 1 + len(ours)
    del rest.functions[:]
    again = custom_operator.put_back(rest, ours, ("input", "output"))
    onnx.checker.check_model(again, full_check=True)
    assert {node.name for node in again.graph.node} == {node.name for node in model.graph.node}


def test_a_graph_in_half_precision_holds_it_too(attentive: RestorationNetwork, tmp_path: Path) -> None:
    to_onnx.export(swap(fold(attentive), "operator"), tmp_path / "64.onnx", TILE, "fp16")
    inputs = parity.tiles(TILE, 1)
    run = runners.load("onnx", tmp_path / "64.onnx", threads=1)
    assert compare(parity.expected(attentive, inputs), run, inputs).psnr_db > 60


@pytest.mark.gpu
def test_an_engine_runs_our_kernel(attentive: RestorationNetwork, operator_graph: Path) -> None:
    trt = pytest.importorskip("tensorrt", reason="tensorrt is not installed")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    assert plugin.register(trt)
    inputs = parity.tiles(TILE, 1)
    run = runners.load("tensorrt", operator_graph, device="cuda")
    assert compare(parity.expected(attentive, inputs), run, inputs).max_abs <= MAX_ABS_FP32
