from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export import runners, to_onnx
from export.fold import fold
from export.to_onnx import ExportError
from models.network import RestorationNetwork

TILE = 64


def test_the_graph_has_the_promised_interface(graph: Path) -> None:
    model = onnx.load(graph)
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"input": ["batch", 3, TILE, TILE], "output": ["batch", 3, TILE, TILE]}
    assert {entry.version for entry in model.opset_import if entry.domain == ""} == {20}
    assert {node.domain for node in model.graph.node} == {""}
    assert not [tensor for tensor in model.graph.initializer if tensor.external_data]


def test_it_is_alone_in_its_folder(graph: Path) -> None:
    assert [path.name for path in graph.parent.iterdir()] == [graph.name]


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_any_batch_runs_and_no_tile_sees_another(network: RestorationNetwork, graph: Path, batch: int) -> None:
    tiles = np.random.default_rng(0).random((batch, 3, TILE, TILE), dtype=np.float32)
    run = runners.load("onnx", graph)
    with torch.inference_mode():
        expected = network.restore(torch.from_numpy(tiles)).numpy()
    np.testing.assert_allclose(run(tiles), expected, atol=1e-5)


def test_a_tile_off_the_lattice_is_refused(network: RestorationNetwork, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="tile 80 is no multiple of the lattice 32"):
        to_onnx.export(fold(network), tmp_path / "80.onnx", 80)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_file_that_a_full_disk_cut_short_is_said_to_be_one(
    network: RestorationNetwork, graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: float
) -> None:
    content = graph.read_bytes()
    monkeypatch.setattr(to_onnx, "_trace", lambda _, path, __: path.write_bytes(content[: int(kept * len(content))]))
    with pytest.raises(ExportError, match=r"64\.onnx cannot be written; its disk has \d+ MiB left"):
        to_onnx.export(network, tmp_path / "64.onnx", TILE)
