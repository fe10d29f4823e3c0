from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from models.layers.cosine_attention import unit


class Unit(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return unit(x)


def test_vectors_get_length_one_and_a_zero_vector_stays_zero() -> None:
    x = torch.randn(5, 12, dtype=torch.float64)
    x[2] = 0
    length = unit(x).norm(dim=-1)
    assert length[2] == 0
    assert (length[[0, 1, 3, 4]] - 1).abs().max() < 1e-12


def test_a_length_beyond_half_precision_does_no_harm() -> None:
    assert (unit(torch.full((1, 4), 6e4, dtype=torch.float16)) == 0.5).all()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_graph_holds_one_node_that_computes_the_same(tmp_path: Path) -> None:
    x = torch.randn(3, 7, 12)
    x[1, 2] = 0
    path = tmp_path / "unit.onnx"
    torch.onnx.export(Unit(), (x,), path, input_names=["x"], opset_version=20, dynamo=False)
    nodes = [node.op_type for node in onnx.load(path).graph.node]
    assert [node for node in nodes if node != "Cast"] == ["LpNormalization"]
    (answer,) = ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x.numpy()})
    assert (torch.from_numpy(answer) - unit(x)).abs().max() < 1e-6
