from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export import runners
from export.fold import fold
from export.proof import Candidate, prove
from export.to_onnx import ExportError
from export.to_tensorrt import EngineError
from models.network import RestorationNetwork

TILE = 64


def test_an_engine_that_fails_on_a_gpu_is_not_passed_over_as_one_without_a_gpu(
    network: RestorationNetwork, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> None:
        raise EngineError("the GPU's memory is full")

    monkeypatch.setattr(runners, "load", load)
    with pytest.raises(EngineError, match="memory is full"):
        prove(Candidate("small", network, fold(network), "fp32", TILE, graph), ["tensorrt-rtx"], alone=True)


def test_a_backend_that_computes_a_right_graph_otherwise_is_blamed_itself(
    network: RestorationNetwork, graph: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = runners.load("onnx", graph)
    monkeypatch.setattr(runners, "load", lambda *_, **__: lambda tiles: right(tiles) + np.float32(0.01))
    with pytest.raises(ExportError, match="right in ONNX Runtime on the CPU; openvino computes it otherwise"):
        prove(Candidate("small", network, fold(network), "fp32", TILE, graph), ["openvino"], alone=True)
