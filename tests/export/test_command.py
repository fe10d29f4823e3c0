from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from export import artifact, command, custom_operator, parity, runners, stage, staged, to_onnx
from export import manifest as manifests
from export import subject as subjects
from export.checkpoint import CheckpointError
from export.manifest import Precision
from export.stage import Options, OptionsError
from export.subject import Subject, SubjectError
from export.to_onnx import ExportError
from models import build, registry
from models.network import RestorationNetwork

CONFIG = "embed_dim = 8\ndepths = [2, 2]\nnum_heads = [1, 2]\ngrid = 4\nwindow = 16\ncell = 32\n"


@pytest.fixture(autouse=True)
def _generated_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSEAM_DATA", raising=False)


@pytest.fixture
def own(network: RestorationNetwork, tmp_path: Path) -> list[str]:
    """The options for a network of the user's own."""
    save_file(network.state_dict(), tmp_path / "mine.safetensors")
    (tmp_path / "mine.toml").write_text(CONFIG)
    return [
        *("--checkpoint", str(tmp_path / "mine.safetensors"), "--network", "ipt_v2", "--task", "derain"),
        *("--config", str(tmp_path / "mine.toml"), "--tiles", "64,96", "--artifacts", str(tmp_path / "artifacts")),
    ]


def export(*options: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(options))


def test_ones_own_checkpoint_becomes_an_artifact_that_every_backend_runs(
    own: list[str], tmp_path: Path, network: RestorationNetwork, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openvino")
    assert export(*own, "--to", "onnx,openvino,torch", "--json") == 0
    folder = tmp_path / "artifacts" / "mine"
    manifest = manifests.load(folder)
    assert json.loads(capsys.readouterr().out)["exported"] == [manifest.model_dump(mode="json")]
    assert manifest.tiles == (64, 96)
    assert manifest.config["depths"] == [2, 2]
    assert manifest.weights_sha256 == manifests.file_sha256(tmp_path / "mine.safetensors")
    assert {one.backend for one in manifest.parity} == {"onnx", "openvino", "torch"} == set(manifest.backends)
    assert all(one.max_abs <= 1e-4 for one in manifest.parity)
    assert {one.tile for one in manifest.speed} == {64}  # the first tile's time stands for all
    fastest = min(manifest.speed, key=lambda one: one.ms_per_tile)
    assert manifest.backends[0] == fastest.backend
    assert manifest.halo == manifest.seams[-1].halo > 0
    assert {path.name for path in folder.iterdir()} == {
        "64-fp32.onnx",
        "96-fp32.onnx",
        "manifest.json",
        "weights.safetensors",
        staged.FILE_NAME,
        *(stage.file for stage in staged.load(folder).stages),
    }
    inputs = parity.tiles(64, 3)
    run = runners.load("torch", folder / "weights.safetensors")
    np.testing.assert_allclose(run(inputs), parity.answers(network, inputs), atol=1e-5)


def test_a_network_whose_graph_is_not_right_is_not_exported(
    subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = to_onnx.export

    def wrong(network: RestorationNetwork, path: Path, tile: int, precision: Precision) -> int:
        wrong_network = copy.deepcopy(network)
        wrong_network.head.weight.data += 0.1
        return honest(wrong_network, path, tile, precision)

    monkeypatch.setattr(to_onnx, "export", wrong)
    with pytest.raises(ExportError, match=r"ipt-v2-test on onnx is off by .* at tile 64: .* layer 'head' first"):
        stage.export(subject, tmp_path, Options(backends=("onnx",), tiles=(64,)))
    assert not (tmp_path / manifests.FILE_NAME).exists()


def test_a_failed_export_leaves_no_artifact(own: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity, "MAX_ABS_FP32", -1.0)
    with pytest.raises(ExportError):
        export(*own, "--to", "onnx")
    assert not (tmp_path / "artifacts" / "mine").exists()


def test_tiles_are_raised_to_the_lattice() -> None:
    assert Options(tiles=(256, 512)).ladder(128) == (256, 512)
    assert Options(tiles=(256, 512)).ladder(96) == (288, 576)
    assert Options(tiles=(100, 256)).ladder(256) == (256,)


def test_networks_that_enlarge_much_have_smaller_tiles() -> None:
    assert Options().ladder(64, scale=2) == (256, 512)
    assert Options().ladder(32, scale=4) == (192, 384)
    assert Options(tiles=(256,)).ladder(32, scale=4) == (256,)


def test_a_wide_lattice_has_large_tiles_where_pictures_take_the_network_in_one_pass() -> None:
    assert Options().ladder(128) == (256, 512)
    assert Options(backends=("tensorrt",)).ladder(128) == (256, 512, 1024)
    assert Options(precision="fp16").ladder(128) == (256, 512, 1024)
    assert Options(one_pass=True).ladder(128) == (256, 512, 1024)
    assert Options(backends=("tensorrt",)).ladder(64) == (256, 512)
    assert Options(backends=("tensorrt",), tiles=(256,)).ladder(128) == (256,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "say which networks to export"),
        (["--network", "ipt_v2"], "belong to --checkpoint"),
        (["--checkpoint", "a.safetensors"], "needs --network and --config and --task"),
        (["--checkpoint", "a.safetensors", "--all"], "leave out the names"),
    ],
)
def test_contradicting_options_are_refused_with_a_sentence(options: list[str], message: str) -> None:
    with pytest.raises(command.UsageError, match=message):
        export(*options)


def test_an_unknown_backend_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        export("--all", "--to", "onnx,tvm")
    assert "no backend tvm; there are onnx, openvino" in capsys.readouterr().err


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(registry.UnknownModelError, match="no model 'nothing'"):
        export("nothing")


def test_a_config_with_an_unknown_setting_is_refused_by_name(own: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"{CONFIG}wings = 2\n")
    with pytest.raises(SubjectError, match="ipt_v2 has no setting wings; it has embed_dim"):
        export(*own)


def test_weights_of_another_configuration_are_refused(own: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(CONFIG.replace("embed_dim = 8", "embed_dim = 16"))
    with pytest.raises(CheckpointError, match=r"mine\.safetensors does not fit IPTV2 of this --config: size mismatch"):
        export(*own)


def test_missing_exports_only_what_has_no_artifact_of_its_present_weights(
    subject: Subject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    save_artifact: Callable[[manifests.Manifest, Path], None],
) -> None:
    def card(sha256: str, *, default: bool = True) -> registry.Card:
        return registry.Card(
            name=subject.name,
            version=subject.version,
            task=subject.task,
            network=subject.network,
            config="tiny",
            weights="",
            sha256=sha256,
            default=default,
            scale=1,
            recipe="",
            data="",
            commit="",
            license_note="",
        )

    def missing(*options: str) -> int:
        export("--missing", "--to", "onnx", *options, "--artifacts", str(tmp_path), "--json")
        return len(json.loads(capsys.readouterr().out)["exported"])

    def small(made: Subject, folder: Path, *_: object) -> manifests.Manifest:
        (folder / "64.onnx").write_bytes(b"graph")
        graph = manifests.Graph(tile=64, file="64.onnx", sha256=manifests.file_sha256(folder / "64.onnx"), nodes=1)
        manifest = made_manifest(made, graph).model_copy(update={"default": made.default})
        save_artifact(manifest, folder)
        return manifest

    monkeypatch.setattr(stage, "export", small)
    monkeypatch.setattr(
        subjects, "from_card", lambda card: replace(subject, weights_sha256=card.sha256, default=card.default)
    )
    monkeypatch.setattr(registry, "find", lambda name: registry.cards()[0])
    monkeypatch.setattr(registry, "cards", lambda: (card(subject.weights_sha256),))
    assert missing() == 1
    assert missing() == 0
    (tmp_path / subject.name / "64.onnx").write_bytes(b"damaged")
    assert missing() == 1
    (tmp_path / subject.name / staged.FILE_NAME).unlink()  # as exports before there were segments
    assert missing() == 1
    monkeypatch.setattr(registry, "cards", lambda: (card("1" * 64),))
    assert missing() == 1
    monkeypatch.setattr(registry, "cards", lambda: (card("1" * 64, default=False),))  # another became the default
    assert missing() == 1
    assert missing() == 0
    assert missing("--one-pass") == 1  # its tiles are smaller than those that suit one pass
    assert missing("--one-pass", "--tiles", "64") == 0


@pytest.mark.parametrize(
    ("name", "value", "one_pass"),
    [
        ("UNSEAM_BACKEND", "tensorrt", True),
        ("UNSEAM_BACKEND", "onnx", False),
        ("UNSEAM_ONE_PASS", "true", True),
        ("UNSEAM_ONE_PASS", "", False),
    ],
)
def test_tiles_suit_the_service_that_the_settings_speak_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, one_pass: bool
) -> None:
    asked: list[artifact.Request] = []
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(artifact, "of_card", lambda name, request, *_: asked.append(request))
    export("ipt-v2-tiny-derain", "--artifacts", str(tmp_path))
    assert asked[0].one_pass == one_pass


def test_a_setting_that_is_neither_true_nor_false_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSEAM_ONE_PASS", "perhaps")
    with pytest.raises(command.UsageError, match="UNSEAM_ONE_PASS is true or false, not 'perhaps'"):
        export("ipt-v2-tiny-derain")


def made_manifest(subject: Subject, graph: manifests.Graph) -> manifests.Manifest:
    return manifests.Manifest(
        name=subject.name,
        version=subject.version,
        task=subject.task,
        network=subject.network,
        scale=1,
        in_channels=3,
        out_channels=3,
        lattice=32,
        halo=16,
        weights_sha256=subject.weights_sha256,
        graphs=(graph,),
        backends=("onnx",),
    )


def test_a_halo_that_came_with_the_weights_is_measured_and_not_searched(subject: Subject, tmp_path: Path) -> None:
    manifest = stage.export(replace(subject, halo=16), tmp_path, Options(backends=("onnx",), tiles=(64, 96)))
    assert manifest.halo == 16
    assert [(one.tile, one.halo) for one in manifest.seams] == [(64, 16)]  # the smallest tile with a core inside it


def test_in_half_precision_files_and_manifest_say_so_and_the_torch_backend_rounds_as_well(
    subject: Subject, tmp_path: Path
) -> None:
    model = copy.deepcopy(subject.model)
    with torch.no_grad():
        model.head.weight *= 0.1  # what a network adds to a picture is small once it is trained
    options = Options(backends=("torch",), tiles=(64,), precision="bf16")
    manifest = stage.export(replace(subject, model=model, halo=16), tmp_path, options)
    assert manifest.precision == "bf16"
    assert [graph.file for graph in manifest.graphs] == ["64-bf16.onnx"]
    assert manifest.backends == ("torch",)
    (figures,) = manifest.parity
    assert 60 <= figures.psnr_db < 100


def test_what_half_precision_makes_too_rough_is_not_exported(subject: Subject, tmp_path: Path) -> None:
    model = copy.deepcopy(subject.model)
    with torch.no_grad():
        model.head.weight *= 1000
    options = Options(tiles=(64,), precision="fp16")
    with pytest.raises(ExportError, match=r"is at .* dB in fp16 \(at least 60 dB\) at tile 64: "):
        stage.export(replace(subject, model=model), tmp_path, options)


def test_bf16_needs_a_backend_that_computes_in_it() -> None:
    for backends in ((), ("onnx", "torch")):
        with pytest.raises(OptionsError, match="ONNX Runtime does not compute in bf16 on the CPU: choose tensorrt"):
            Options(backends=backends, precision="bf16")


def test_the_form_of_key_semantic_attention_can_be_chosen(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = replace(build.configs("semanir")["tiny_demosaic"], down=((), (1,)), up=((),))
    model = build.create("semanir", config).eval()
    demosaic = Subject(model, "own", 1, "demosaic", "semanir", None, "0" * 64, "", default=False, halo=16)
    options = Options(backends=("onnx",), tiles=(64,), attention="operator", trust_halo=True)
    manifest = stage.export(demosaic, tmp_path, options)
    assert (manifest.attention, manifest.variants) == ("operator", ())
    assert [node.op_type for node in custom_operator.nodes(onnx.load(tmp_path / "64-fp32.onnx"))] == [
        "key_semantic_attention"
    ]
    staged_graphs = [onnx.load(path) for path in tmp_path.glob("staged-*.onnx")]
    assert staged_graphs
    assert not any(custom_operator.nodes(graph) for graph in staged_graphs)


def test_openvino_takes_no_operator_of_ours() -> None:
    assert Options(attention="operator").backends == ("onnx",)
    with pytest.raises(OptionsError, match="choose mask or gather, or leave openvino out"):
        Options(backends=("openvino",), attention="operator")


def test_a_trusted_halo_costs_no_measurement(subject: Subject, tmp_path: Path) -> None:
    options = Options(backends=("onnx",), tiles=(64,), trust_halo=True)
    manifest = stage.export(replace(subject, halo=16), tmp_path, options)
    assert (manifest.halo, manifest.seams) == (16, ())
