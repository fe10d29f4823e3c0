from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from export import artifact, command, figures, parity, probe, runners, stage, staged
from export import manifest as manifests
from export import subject as subjects
from export.checkpoint import CheckpointError
from export.subject import Subject, SubjectError
from export.tasks import TaskError
from export.to_onnx import ExportError
from models import registry
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
    said = capsys.readouterr()
    assert json.loads(said.out)["exported"] == [manifest.model_dump(mode="json")]
    assert "compared on generated pictures and noise: UNSEAM_DATA has no photograph of 64 pixels\n" in said.err
    assert manifest.tiles == (64, 96)
    assert manifest.config["depths"] == [2, 2]
    assert manifest.weights_sha256 == manifests.file_sha256(tmp_path / "mine.safetensors")
    assert {one.backend for one in manifest.parity} == {"onnx", "openvino", "torch"} == set(manifest.backends)
    assert all(one.max_abs <= 1e-4 for one in manifest.parity)
    assert manifest.built == ()
    assert {one.tile for one in manifest.speed} == {64}  # the first tile's time stands for all
    fastest = min(manifest.speed, key=lambda one: one.ms_per_tile)
    assert manifest.backends[0] == fastest.backend
    assert manifest.halo == manifest.seams[-1].halo > 0
    assert {path.name for path in folder.iterdir()} == {
        "64-fp32.onnx",
        "96-fp32.onnx",
        "manifest.json",
        "probe.npz",
        "weights.safetensors",
        staged.FILE_NAME,
        *(stage.file for stage in staged.load(folder).stages),
    }
    inputs = parity.tiles(64, 3)
    run = runners.load("torch", folder / "weights.safetensors")
    np.testing.assert_allclose(run(inputs), parity.answers(network, inputs), atol=1e-5)
    probed = probe.load(folder / manifest.probe.file)
    for side in manifest.tiles:
        right = parity.answers(network, probe.tile(probed.picture, side))
        assert probed.compare(side, right).max_abs == 0
        assert not probed.compare(side, right + np.float32(0.01)).within("fp32")


def test_a_failed_export_leaves_no_artifact(own: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "MAX_ABS_FP32", -1.0)
    with pytest.raises(ExportError):
        export(*own, "--to", "onnx")
    assert not (tmp_path / "artifacts" / "mine").exists()


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


@pytest.mark.parametrize("jobs", ["0", "-3", "two"])
def test_no_networks_at_once_are_refused(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        export("--all", f"--jobs={jobs}")
    assert f"'{jobs}' is no number of 1 or more" in capsys.readouterr().err


def test_an_engine_that_was_built_and_not_run_is_told_of_for_a_single_network_too(
    own: list[str], subject: Subject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = manifests.Graph(tile=64, file="64.onnx", sha256="0" * 64, nodes=1)
    engine = {"backends": ("tensorrt-rtx",), "built": ("tensorrt-rtx",)}
    made = made_manifest(subject, graph).model_copy(update=engine)
    monkeypatch.setattr(artifact, "make", lambda *_: made)
    assert export(*own) == 0
    assert "  built, not run: there is no GPU here" in capsys.readouterr().out


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(registry.UnknownModelError, match="no model 'nothing'"):
        export("nothing")


def test_a_config_with_an_unknown_setting_is_refused_by_name(own: list[str], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"{CONFIG}wings = 2\n")
    with pytest.raises(SubjectError, match="ipt_v2 has no setting wings; it has embed_dim"):
        export(*own)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (b"# caf\xe9\n", "mine.toml is no TOML: .*0xe9"),
        (CONFIG.replace("embed_dim = 8", "embed_dim = 32.5").encode(), "no ipt_v2 has these settings: [^\n]+$"),
        (CONFIG.replace("embed_dim = 8", "embed_dim = -8").encode(), "no ipt_v2 has these settings: [^\n]+$"),
        (CONFIG.replace("grid = 4", "grid = 0").encode(), "no ipt_v2 has these settings: [^\n]+$"),
        (CONFIG.replace("= 16", "= -16").replace("= 32", "= -32").encode(), "cell, window cannot be negative"),
        (CONFIG.replace("num_heads = [1, 2]", "num_heads = [1, -2]").encode(), "num_heads cannot be negative"),
    ],
)
def test_a_config_of_which_no_network_can_be_made_is_refused_in_a_line(
    own: list[str], tmp_path: Path, config: bytes, message: str
) -> None:
    (tmp_path / "mine.toml").write_bytes(config)
    with pytest.raises(SubjectError, match=message):
        export(*own)


@pytest.mark.parametrize("name", ["*", "m?ne", "a/b", "../mine"])
def test_a_name_that_cannot_be_is_refused_before_any_folder_is_touched(
    own: list[str], tmp_path: Path, name: str
) -> None:
    others = tmp_path / "artifacts" / ".mine.tmp-another" / "new"
    others.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SubjectError, match="is no name for a network"):
        export(*own, "--name", name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_network_that_cannot_do_its_task_is_refused_before_the_work(own: list[str], tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="upscale enlarges, and this network has scale 1"):
        export(*own, "--task", "upscale")
    assert not (tmp_path / "artifacts").exists()


def test_a_task_that_no_shipped_network_has_is_taken_and_said_to_be_new(
    own: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(artifact, "make", lambda *_: None)  # as if it were there
    assert export(*own, "--task", "denoize") == 0
    assert "denoize is a task of your own; the shipped ones are deblur, defocus," in capsys.readouterr().out


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
    def card(sha256: str, *, default: bool = True, halo: int = 16, version: int = subject.version) -> registry.Card:
        return registry.Card(
            name=subject.name,
            version=version,
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
            halo=halo,
        )

    def missing(*options: str) -> int:
        export("--missing", "--to", "onnx", *options, "--artifacts", str(tmp_path), "--json")
        said = capsys.readouterr()
        exported = json.loads(said.out)["exported"]
        assert ("nothing is missing" in said.err) != bool(exported)
        return len(exported)

    def small(made: Subject, folder: Path, *_: object) -> manifests.Manifest:
        (folder / "64.onnx").write_bytes(b"graph")
        graph = manifests.Graph(tile=64, file="64.onnx", sha256=manifests.file_sha256(folder / "64.onnx"), nodes=1)
        manifest = made_manifest(made, graph).model_copy(update={"default": made.default})
        save_artifact(manifest, folder)
        return manifest

    monkeypatch.setattr(stage, "export", small)
    monkeypatch.setattr(
        subjects,
        "from_card",
        lambda card: replace(subject, weights_sha256=card.sha256, default=card.default, version=card.version),
    )
    monkeypatch.setattr(registry, "find", lambda name: registry.cards()[0])
    monkeypatch.setattr(registry, "cards", lambda: (card(subject.weights_sha256),))
    assert missing() == 1
    assert missing() == 0
    (tmp_path / subject.name / "64.onnx").write_bytes(b"damaged")
    assert missing() == 1
    former = manifests.load(tmp_path / subject.name)
    manifests.save(former.model_copy(update={"format": 1, "probe": None}), tmp_path / subject.name)
    assert missing() == 1
    (tmp_path / subject.name / staged.FILE_NAME).unlink()  # as exports before there were segments
    assert missing() == 1
    monkeypatch.setattr(registry, "cards", lambda: (card("1" * 64),))
    assert missing() == 1
    monkeypatch.setattr(registry, "cards", lambda: (card("1" * 64, default=False),))  # another became the default
    assert missing() == 1
    monkeypatch.setattr(registry, "cards", lambda: (card("1" * 64, default=False, halo=8),))  # measured anew
    assert missing() == 1
    monkeypatch.setattr(registry, "cards", lambda: (card("1" * 64, default=False, version=9),))  # the network changed
    assert missing() == 1
    monkeypatch.setattr(registry, "cards", lambda: (card("1" * 64, default=False),))
    assert missing() == 1
    assert missing() == 0
    assert missing("--one-pass") == 1  # its tiles are smaller than those that suit one pass
    assert missing("--one-pass", "--tiles", "64") == 0
    assert missing("--attention", "gather") == 0  # a network without such attention
    assert missing("--tiles", "128") == 1
    assert missing("--to", "onnx,torch") == 1
    assert missing("--precision", "fp16") == 1


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


def test_the_weights_that_a_torch_worker_needs_are_exported_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[artifact.Request] = []
    monkeypatch.setattr(artifact, "of_card", lambda name, request, *_: asked.append(request))
    for backend in ("torch", "onnx"):
        monkeypatch.setenv("UNSEAM_BACKEND", backend)
        export("ipt-v2-tiny-derain", "--artifacts", str(tmp_path))
    assert [request.backends for request in asked] == [("torch",), ()]


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
