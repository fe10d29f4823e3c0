from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from export import segments, staged
from export.fold import fold
from export.manifest import ManifestError
from export.pictures import dead_leaves
from export.seams import whole
from imaging.staged import restore
from models.ipt_v2.model import IPTV2, Config

SMALLEST = Config(embed_dim=4, depths=(2, 2), num_heads=(1, 2), grid=4, window=8, cell=16)
WEIGHTS = "0" * 64


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifact")
    torch.manual_seed(0)
    network = IPTV2(SMALLEST).eval()
    nn.init.normal_(network.head.weight, std=0.1)
    return network, folder, segments.export(fold(network), folder, WEIGHTS, tile=64)


def test_the_graphs_of_the_segments_restore_as_the_untiled_network(exported) -> None:
    network, folder, description = exported
    picture = dead_leaves(133, 3)[:, :90]
    layout = description.layout(*picture.shape[:2])
    restored = restore(picture, staged.open_runs(description, folder, threads=1), layout, batch=3)
    expected = whole(network, picture)
    assert np.abs(restored - expected).max() * 255 <= 0.01
    assert np.mean(np.rint(restored * 255) == np.rint(expected * 255)) >= 0.9995
    assert np.abs(expected - picture).max() > 0.01


def test_torch_and_onnx_segments_agree(exported) -> None:
    network, folder, description = exported
    picture = dead_leaves(70, 3)
    layout = description.layout(70, 70)
    by_torch = restore(picture, segments.torch_runs(network), layout)
    by_onnx = restore(picture, staged.open_runs(description, folder, threads=1), layout)
    assert np.abs(by_torch - by_onnx).max() < 4e-5


def test_every_segment_says_what_it_costs(exported) -> None:
    _, _, description = exported
    assert all(stage.macs > 0 for stage in description.stages)
    layout = description.layout(1000, 1000)
    assert 1.0 < layout.work(description.costs) < 2.0


def test_the_description_survives_the_disk_and_an_altered_graph_is_refused(exported, tmp_path) -> None:
    _, folder, description = exported
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert staged.load(tmp_path) == description
    graph = tmp_path / description.stages[0].file
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ManifestError, match="altered"):
        staged.load(tmp_path)
    (tmp_path / staged.FILE_NAME).unlink()
    with pytest.raises(ManifestError, match="no segments"):
        staged.load(tmp_path)
