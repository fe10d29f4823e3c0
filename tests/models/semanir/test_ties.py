from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from models.semanir.dictionary import largest


class Largest(nn.Module):
    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        return largest(scores, 5)


@pytest.mark.filterwarnings("ignore")  # the exporter's own
def test_an_exported_graph_breaks_ties_as_the_network_does(tmp_path) -> None:
    scores = torch.randint(0, 4, (64, 24)).float()  # ties everywhere
    path = tmp_path / "largest.onnx"
    torch.onnx.export(Largest(), (scores,), path, opset_version=20, dynamo=False)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (keys,) = session.run(None, {session.get_inputs()[0].name: scores.numpy()})
    assert np.array_equal(np.sort(keys), np.sort(largest(scores, 5).numpy()))
