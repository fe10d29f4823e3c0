from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from export import segments, staged
from export.fold import fold
from export.manifest import ManifestError
from export.pictures import dead_leaves
from export.runners.torch import segment_runs
from export.seams import whole
from imaging.staged import restore
from imaging.stages import economical
from models import build
from models.ipt_v2.model import IPTV2, Config
from models.segments import stages

SMALLEST = Config(embed_dim=4, depths=(2, 2), num_heads=(1, 2), grid=4, window=8, cell=16)
WEIGHTS = "0" * 64


@pytest.fixture(scope="module", params=[False, True], ids=["cells side by side", "faded cells"])
def exported(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifact")
    torch.manual_seed(0)
    network = IPTV2(replace(SMALLEST, faded=request.param)).eval()
    nn.init.normal_(network.head.weight, std=0.1)
    return network, folder, segments.export(fold(network), folder, WEIGHTS)


@pytest.mark.parametrize("tile", [64, 96, 0])
@pytest.mark.parametrize("size", [(133, 90), (33, 70), (5, 5)])
def test_the_graphs_of_the_segments_restore_as_the_untiled_network(exported, size, tile) -> None:
    network, folder, description = exported
    picture = dead_leaves(133, 3)[: size[0], : size[1]]
    plan = description.layout(*size, tile)
    restored = restore(picture, staged.open_runs(description, folder, threads=1), plan, batch=3)
    expected = whole(network, picture)
    assert np.abs(restored - expected).max() * 255 <= 0.01
    assert np.mean(np.rint(restored * 255) == np.rint(expected * 255)) >= 0.9995
    assert np.abs(expected - picture).max() > 0.01


def test_torch_and_onnx_segments_agree(exported) -> None:
    network, folder, description = exported
    picture = dead_leaves(70, 3)
    plan = description.layout(70, 70, 64)
    by_torch = restore(picture, segment_runs(network), plan)
    by_onnx = restore(picture, staged.open_runs(description, folder, threads=1), plan)
    assert np.abs(by_torch - by_onnx).max() < 4e-5


def test_a_segment_that_was_replaced_since_its_description_was_read_is_not_opened(exported, tmp_path) -> None:
    _, folder, description = exported
    replaced = shutil.copytree(folder, tmp_path / "replaced")
    (replaced / description.stages[-1].file).write_bytes(b"another network")
    with pytest.raises(ManifestError, match="altered after the export"):
        staged.open_runs(description, replaced)


def test_every_segment_says_what_it_costs(exported) -> None:
    _, _, description = exported
    assert all(stage.macs > 0 for stage in description.stages)
    assert 1.0 < description.layout(1000, 1000, 64).work < 2.0
    assert description.layout(1000, 1000, 0).work == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("network", "config"),
    [
        ("ipt_v2", "tiny"), ("ipt_v2", "tiny_deep_faded"), ("semanir", "tiny_denoise"), ("semanir", "tiny_demosaic"),
        ("iitransformer", "tiny"),
        ("kit", "tiny_deblur"), ("grl", "tiny_laptop_x2"), ("grl", "tiny_laptop_x3"), ("grl", "tiny_laptop_x4"),
    ],
)  # fmt: skip
def test_at_the_usual_tile_at_most_a_quarter_of_the_work_is_redundant(network: str, config: str) -> None:
    made = build.create(network, config).eval()
    side = 2 * made.lattice
    costs = segments.walk(made, torch.zeros(1, side, side, made.in_channels))[1]
    weighed = [replace(stage, cost=costs[stage.name]) for stage in stages(made)]
    for height, width in ((4000, 6000), (2448, 3264), (1081, 1921), (619, 857), (8191, 12289)):
        assert economical(height, width, weighed, lattice=made.lattice).work <= 1.25


def test_the_description_survives_the_disk_and_what_was_altered_or_is_newer_is_refused(exported, tmp_path) -> None:
    _, folder, description = exported
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    assert staged.load(tmp_path) == description
    graph = tmp_path / description.stages[0].file
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(ManifestError, match="altered"):
        staged.load(tmp_path)
    newer = {**description.model_dump(mode="json"), "format": 3, "hologram": True}
    (tmp_path / staged.FILE_NAME).write_text(json.dumps(newer))
    with pytest.raises(
        ManifestError, match=r"staged\.json has format 3, and this version reads up to format 2: update"
    ):
        staged.load(tmp_path)
    (tmp_path / staged.FILE_NAME).write_text("{")
    with pytest.raises(ManifestError, match=r"staged\.json is not valid"):
        staged.load(tmp_path)
    (tmp_path / staged.FILE_NAME).unlink()
    with pytest.raises(ManifestError, match="no segments"):
        staged.load(tmp_path)
