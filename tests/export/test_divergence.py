from __future__ import annotations

import copy
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper

from export import parity
from export.divergence import first_divergence
from export.fold import fold
from models.network import RestorationNetwork

TILE = 64


def found(network: RestorationNetwork, exported: RestorationNetwork, graph: Path) -> str | None:
    return first_divergence({"folding": exported}, network, graph, parity.tiles(TILE, 3)[:1], 1e-4)


def test_equal_networks_diverge_nowhere(network: RestorationNetwork, graph: Path) -> None:
    assert found(network, fold(network), graph) is None


def test_a_wrong_weight_in_the_graph_is_traced_to_its_layer(
    network: RestorationNetwork, graph: Path, tmp_path: Path
) -> None:
    model = onnx.load(graph)
    layer = "/encoders.1.0/attention/local/"
    conv = next(node for node in model.graph.node if node.op_type == "Conv" and node.name.startswith(layer))
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == conv.input[1])
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) + 0.1, weight.name))
    onnx.save(model, tmp_path / "wrong.onnx")
    where = found(network, fold(network), tmp_path / "wrong.onnx")
    assert where
    assert "the translation to ONNX changed the layer 'encoders.1.0.attention.local' first" in where


def test_a_wrong_fold_is_told_from_a_wrong_translation(network: RestorationNetwork, graph: Path) -> None:
    wrong = copy.deepcopy(fold(network))
    with torch.no_grad():
        wrong.get_parameter("decoders.0.1.feed_forward.expand.weight").mul_(1.5)
    where = found(network, wrong, graph)
    assert where
    assert "folding changed the layer 'decoders.0.1.feed_forward.expand' first" in where


def test_a_layer_that_answers_nan_is_named(network: RestorationNetwork, graph: Path) -> None:
    wrong = copy.deepcopy(fold(network))
    with torch.no_grad():
        wrong.get_parameter("decoders.0.1.feed_forward.expand.weight").fill_(torch.nan)
    assert found(network, wrong, graph) == "folding changed the layer 'decoders.0.1.feed_forward.expand' first (by nan)"


def test_what_goes_wrong_behind_the_last_layer_is_said_to(
    network: RestorationNetwork, graph: Path, tmp_path: Path
) -> None:
    model = onnx.load(graph)
    (last,) = (node for node in model.graph.node if "output" in node.output)
    last.output[0] = "right"
    model.graph.node.append(onnx.helper.make_node("Neg", ["right"], ["output"]))
    onnx.save(model, tmp_path / "wrong.onnx")
    where = found(network, fold(network), tmp_path / "wrong.onnx")
    assert where
    assert where.startswith("the translation to ONNX changed what follows the last layer")
