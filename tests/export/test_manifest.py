from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from export import manifest as manifests
from export.manifest import File, Graph, Manifest, ManifestError, Seams, Weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    graphs = []
    for tile in (256, 512):
        path = tmp_path / f"{tile}.onnx"
        path.write_bytes(b"graph %d" % tile)
        graphs.append(Graph(tile=tile, file=path.name, sha256=manifests.file_sha256(path), nodes=7))
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")
    (tmp_path / "probe.npz").write_bytes(b"probe")
    manifests.save(
        made(
            graphs=tuple(graphs),
            weights=Weights(file=weights.name, sha256=manifests.file_sha256(weights)),
            probe=File(file="probe.npz", sha256=manifests.file_sha256(tmp_path / "probe.npz")),
            seams=(
                Seams(
                    tile=512,
                    halo=64,
                    pictures=2,
                    photographs=True,
                    max_lsb=0.4,
                    p999_lsb=0.1,
                    equal_8bit=0.99,
                    psnr_db=80,
                    jump=1.0,
                ),
            ),
        ),
        tmp_path,
    )
    return tmp_path


def made(**changes: Any) -> Manifest:
    graph = Graph(tile=256, file="256.onnx", sha256="0" * 64, nodes=7)
    fields: dict[str, Any] = {
        "name": "ipt-v2-tiny-derain",
        "version": 1,
        "task": "derain",
        "network": "ipt_v2",
        "scale": 1,
        "in_channels": 3,
        "out_channels": 3,
        "lattice": 128,
        "halo": 64,
        "weights_sha256": "0" * 64,
        "graphs": (graph,),
        "backends": ("onnx",),
    }
    return Manifest(**(fields | changes))


def altered(folder: Path, **changes: Any) -> None:
    path = folder / manifests.FILE_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_saved_manifest_is_read_back_equal(folder: Path) -> None:
    manifest = manifests.load(folder)
    assert manifest.tiles == (256, 512)
    assert manifest.graph(512).file == "512.onnx"
    assert manifest == manifests.load(folder / manifests.FILE_NAME)
    assert manifest.sha256 == manifest.digest()


def test_formatting_of_the_file_does_not_matter(folder: Path) -> None:
    altered(folder)
    manifests.load(folder)


@pytest.mark.parametrize("name", ["256.onnx", "512.onnx", "weights.safetensors", "probe.npz"])
def test_an_altered_file_is_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"other")
    with pytest.raises(ManifestError, match=rf"{name} was altered after the export .* export again"):
        manifests.load(folder)


def test_a_missing_file_is_refused_by_name(folder: Path) -> None:
    (folder / "512.onnx").unlink()
    with pytest.raises(ManifestError, match=r"512\.onnx is missing: export again"):
        manifests.load(folder)


@pytest.mark.parametrize(
    "changes", [{"weights_sha256": "1" * 64}, {"halo": 0}, {"seams": []}, {"default": True}, {"sha256": None}]
)
def test_altered_figures_are_refused(folder: Path, changes: dict[str, Any]) -> None:
    altered(folder, **changes)
    with pytest.raises(ManifestError, match=r"manifest\.json was altered after the export"):
        manifests.load(folder)


def test_a_newer_format_is_refused_even_where_its_fields_are_unknown(folder: Path) -> None:
    altered(folder, format=3, hologram=True)
    with pytest.raises(ManifestError, match="has format 3, and this version reads up to format 2: update unseam"):
        manifests.load(folder)


def test_an_older_format_with_fewer_fields_is_read(folder: Path) -> None:
    path = folder / manifests.FILE_NAME
    content = json.loads(path.read_text())
    for new in ("probe", "built", "sha256"):
        del content[new]
    content["format"] = 1
    written = json.dumps(content, sort_keys=True, separators=(",", ":"))
    path.write_text(json.dumps(content | {"sha256": hashlib.sha256(written.encode()).hexdigest()}))
    assert manifests.load(folder).probe is None
    altered(folder, halo=0)
    with pytest.raises(ManifestError, match="was altered after the export"):
        manifests.load(folder)


def test_an_unknown_field_is_refused_by_name(folder: Path) -> None:
    altered(folder, hologram=True)
    with pytest.raises(ManifestError, match="hologram"):
        manifests.load(folder)


def test_a_manifest_cannot_name_a_file_outside_its_folder(folder: Path) -> None:
    altered(folder, graphs=[{"tile": 256, "file": "../256.onnx", "sha256": "0" * 64, "nodes": 7}])
    with pytest.raises(ManifestError, match=r"graphs\.0\.file"):
        manifests.load(folder)


def test_no_manifest_and_no_json_are_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no manifest can be read"):
        manifests.load(tmp_path)
    (tmp_path / manifests.FILE_NAME).write_text("{")
    with pytest.raises(ManifestError, match="is no JSON"):
        manifests.load(tmp_path)


def test_tiles_have_to_fit_lattice_and_halo() -> None:
    with pytest.raises(ValueError, match="tile 256 is no multiple of the lattice 96"):
        made(lattice=96)
    with pytest.raises(ValueError, match="no centre left inside a halo of 128"):
        made(halo=128)


def test_an_unknown_tile_is_answered_with_those_there_are(folder: Path) -> None:
    with pytest.raises(ManifestError, match="no graph for tiles of 64; it has 256, 512"):
        manifests.load(folder).graph(64)


def test_reading_manifests_loads_neither_torch_nor_onnx() -> None:
    code = (
        "import sys, export.manifest, export.runners, export.command, export.storage, export.probe;"
        "sys.exit(bool({'torch', 'onnx', 'onnxruntime', 'openvino', 'safetensors'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
