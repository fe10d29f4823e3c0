from __future__ import annotations

import json
from pathlib import Path

import onnx_inverter
import pytest
from service_bench import manifest

from export import manifest as manifests
from export.manifest import Graph, ManifestError
from service.catalogue import Artifact, Catalogue
from service.errors import InvalidParameter


def catalogue(**models: dict[str, object]) -> Catalogue:
    return Catalogue(Artifact(Path(name), manifest(name=name, **fields)) for name, fields in models.items())


def test_the_default_of_a_task_is_what_the_manifest_says() -> None:
    found = catalogue(a={}, b={"default": True}, c={})
    assert found.find("derain").manifest.name == "b"
    assert [artifact.manifest.name for artifact in found.for_task("derain")] == ["b", "a", "c"]


def test_a_model_can_be_named() -> None:
    assert catalogue(a={}, b={}).find("derain", model="b").manifest.name == "b"


def test_a_scale_chooses_among_the_networks_and_the_smallest_is_the_default() -> None:
    found = catalogue(x4={"task": "upscale", "scale": 4}, x2={"task": "upscale", "scale": 2})
    assert found.find("upscale").manifest.name == "x2"
    assert found.find("upscale", scale=4).manifest.name == "x4"
    with pytest.raises(InvalidParameter, match="No scale 3 is served for upscale; there are 2, 4"):
        found.find("upscale", scale=3)


def test_a_network_of_one_mosaic_takes_all_and_another_none() -> None:
    found = catalogue(mosaic={"task": "demosaic", "pattern": "rggb"}, rain={})
    for pattern in ("rggb", "bggr", "grbg", "gbrg"):
        assert found.find("demosaic", pattern=pattern).manifest.name == "mosaic"
    with pytest.raises(InvalidParameter, match="No pattern 'bgrg' is served for demosaic; there are rggb, bggr"):
        found.find("demosaic", pattern="bgrg")
    with pytest.raises(InvalidParameter, match="No pattern 'rggb' is served for derain; there is none"):
        found.find("derain", pattern="rggb")


def test_an_unknown_task_is_told_what_there_is_and_what_was_meant() -> None:
    with pytest.raises(InvalidParameter, match=r"there are dejpeg, derain; did you mean derain\?") as caught:
        catalogue(a={}, b={"task": "dejpeg"}).find("derian")
    assert caught.value.facts["allowed"] == ["dejpeg", "derain"]


def test_a_model_of_another_task_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="No model 'b' is served for derain"):
        catalogue(a={}, b={"task": "dejpeg"}).find("derain", model="b")


def test_a_folder_is_read_and_what_was_altered_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "inverter"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    digest = manifests.file_sha256(folder / "model.onnx")
    manifests.save(manifest(graphs=(Graph(tile=64, file="model.onnx", sha256=digest, nodes=1),)), folder)
    (tmp_path / ".half-written").mkdir()
    assert Catalogue.read(tmp_path).tasks == ("derain",)
    (folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(ManifestError, match=r"model\.onnx"):
        Catalogue.read(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": 2}, "was altered after the export"),
        (
            {"parity": [{"backend": "onnx", "tile": 64, "max_abs": 0.0, "psnr_db": 200.0}]},
            "was altered after the export",
        ),
        ({"format": 3}, "has format 3, and this version reads up to format 2: update unseam or export again"),
    ],
)
def test_a_manifest_that_was_altered_or_is_newer_is_not_served(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    file = onnx_inverter.write(tmp_path) / "inverter" / manifests.FILE_NAME
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(ManifestError, match=message):
        Catalogue.read(tmp_path)


def test_weights_that_were_altered_are_not_served(tmp_path: Path) -> None:
    folder = onnx_inverter.write(tmp_path) / "inverter"
    (folder / "weights.safetensors").write_bytes(b"weights")
    weights = manifests.Weights(
        file="weights.safetensors", sha256=manifests.file_sha256(folder / "weights.safetensors")
    )
    manifests.save(manifests.load(folder).model_copy(update={"weights": weights}), folder)
    assert Catalogue.read(tmp_path).tasks == ("derain",)
    (folder / "weights.safetensors").write_bytes(b"others")
    with pytest.raises(ManifestError, match=r"weights\.safetensors was altered after the export"):
        Catalogue.read(tmp_path)


def test_networks_of_ones_own_are_served_beside_the_shipped_ones(tmp_path: Path) -> None:
    shipped, mine = onnx_inverter.write(tmp_path / "shipped"), onnx_inverter.write(tmp_path / "mine")
    with pytest.raises(ManifestError, match=r"shipped/inverter and .*mine/inverter are both named inverter"):
        Catalogue.read(shipped, mine)
    own = manifests.load(mine / "inverter")
    manifests.save(own.model_copy(update={"name": "mine", "task": "my-task"}), mine / "inverter")
    assert Catalogue.read(shipped, mine).tasks == ("derain", "my-task")


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert len(Catalogue.read(tmp_path / "nothing")) == 0
