from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from export import runners
from models.semanir.dictionary import most_similar


class Penalty(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        filled = torch.zeros(1, 64, dtype=torch.bool)
        filled[:, 50:] = True
        return most_similar(tokens, (8, 8), 32, filled).penalty


@pytest.mark.filterwarnings("ignore")  # the exporter's own
@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_an_exported_graph_breaks_ties_as_the_network_does(backend: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime" if backend == "onnx" else backend)
    torch.manual_seed(0)
    tokens = torch.randint(0, 2, (3, 64, 4)).float()  # ties everywhere, as on a page
    path = tmp_path / "penalty.onnx"
    torch.onnx.export(
        Penalty(), (tokens,), path, input_names=["tokens"], dynamic_axes={"tokens": [0]}, opset_version=20, dynamo=False
    )
    session = runners.load(backend, path)
    assert torch.equal(torch.from_numpy(session(tokens.numpy())), Penalty()(tokens))
