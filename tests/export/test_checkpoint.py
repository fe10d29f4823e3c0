from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from export import checkpoint, parity, runners
from export import manifest as manifests
from export.checkpoint import CheckpointError
from export.figures import compare
from export.subject import SubjectError, from_checkpoint, make_config
from models import build
from models.check import NETWORKS
from models.layers.rep_conv import merged
from models.network import RestorationNetwork
from service.cli import main

II = {"num_heads": (4,), "kinds": (("intra", "inter"),), "shifts": ((0, 4),)}


@pytest.fixture
def own() -> RestorationNetwork:
    torch.manual_seed(0)
    return build.create("iitransformer", replace(build.configs("iitransformer")["tiny"], **II)).eval()


def published(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The keys that iiTransformer's authors give the same weights."""
    names = {
        r"^stem\.": "conv_first.",
        r"^norm_in\.": "patch_embed.norm.",
        r"^stages\.(\d+)\.layers\.(\d+)\.": r"layers.\1.residual_group.blocks.\2.",
        r"^stages\.(\d+)\.conv\.": r"layers.\1.conv.",
        r"\.attention\.bias\.table$": ".attn.relative_position_bias_table",
        r"\.attention\.": ".attn.",
        r"^norm_out\.": "norm.",
        r"^body\.": "conv_after_body.",
        r"^tail\.before\.": "conv_before_upsample.0.",
    }
    renamed = {}
    for key, tensor in state.items():
        for ours, theirs in names.items():
            key = re.sub(ours, theirs, key)
        renamed[key] = tensor
    return renamed


def filled(path: Path) -> dict[str, Tensor]:
    network = build.create("iitransformer", replace(build.configs("iitransformer")["tiny"], **II))
    checkpoint.fill(network, "iitransformer", path)
    return network.state_dict()


def assert_same(found: dict[str, Tensor], network: nn.Module) -> None:
    expected = network.state_dict()
    assert found.keys() == expected.keys()
    for key, tensor in expected.items():
        assert torch.equal(found[key], tensor)


def test_our_own_weights_are_taken_in_any_float_precision(own: RestorationNetwork, tmp_path: Path) -> None:
    save_file({key: value.clone().half() for key, value in own.state_dict().items()}, tmp_path / "a.safetensors")
    found = filled(tmp_path / "a.safetensors")
    assert {value.dtype for value in found.values() if value.is_floating_point()} == {torch.float32}
    assert_same(found, own.half().float())


def test_weights_of_a_run_are_taken_though_they_keep_one_matrix_for_two(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained, network = (build.create("ipt_v2", "tiny").eval() for _ in range(2))
    nn.init.normal_(trained.head.weight, std=0.1)
    save_file(merged(trained, trained.state_dict()), tmp_path / "best.safetensors")
    checkpoint.fill(network, "ipt_v2", tmp_path / "best.safetensors")
    picture = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        assert torch.allclose(network(picture), trained(picture), atol=1e-5)


@pytest.mark.parametrize("place", [None, "params", "state_dict"])
def test_a_file_as_the_authors_publish_it_is_taken(own: RestorationNetwork, tmp_path: Path, place: str | None) -> None:
    state = published(own.state_dict())
    assert "conv_first.weight" in state
    torch.save({place: state, "step": torch.tensor(5)} if place else state, tmp_path / "published.pth")
    assert_same(filled(tmp_path / "published.pth"), own)


def test_such_a_file_becomes_an_artifact_that_answers_as_the_network(
    own: RestorationNetwork,
    randomise: Callable[[RestorationNetwork], RestorationNetwork],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("UNSEAM_DATA", raising=False)
    state = {f"model.{key}": tensor for key, tensor in published(randomise(own).state_dict()).items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "published.ckpt")
    fields = asdict(own.config)
    table = [f"{name} = {json.dumps(value)}" for name, value in fields.items() if value is not None]
    (tmp_path / "own.toml").write_text("\n".join(table))
    asked = ["--network", "iitransformer", "--config", tmp_path / "own.toml", "--task", "denoise", "--tiles", "64"]
    where = ["--checkpoint", tmp_path / "published.ckpt", "--artifacts", tmp_path / "artifacts", "--to", "onnx"]
    assert main(["export", *map(str, [*where, *asked])]) == 0
    manifest = manifests.load(tmp_path / "artifacts" / "published")
    run = runners.load("onnx", tmp_path / "artifacts" / "published" / manifest.graph(64).file, threads=1)
    inputs = parity.tiles(64, 3)
    assert compare(parity.expected(own, inputs), run, inputs).max_abs <= 1e-5
    assert np.abs(run(inputs) - inputs).max() > 0.1  # it does something


def test_every_golden_of_the_authors_code_is_a_checkpoint(goldens: list[Path], tmp_path: Path) -> None:
    for golden in goldens:
        tensors = load_file(golden.with_suffix(".safetensors"))
        state = {f"model.{key[11:]}": tensor for key, tensor in tensors.items() if key.startswith("state_dict.")}
        torch.save({"state_dict": state}, tmp_path / "published.ckpt")
        described = json.loads(golden.read_text())
        architecture = NETWORKS[described["cls"].rpartition(".")[2]]
        keys = import_module(f"models.{architecture}.keys")
        network = build.create(architecture, keys.config(described["kwargs"]))
        before = next(network.parameters()).clone()
        checkpoint.fill(network, architecture, tmp_path / "published.ckpt")
        assert not torch.equal(next(network.parameters()), before)


def test_a_file_that_could_run_code_is_not_opened(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "hyper_parameters": Path("x")}, tmp_path / "lightning.ckpt")
    with pytest.raises(
        CheckpointError,
        match=r"lightning\.ckpt holds more than tensors, so opening it could run code: save its weights as safetensors",
    ):
        checkpoint.read(tmp_path / "lightning.ckpt")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("torn.safetensors", b"half", "torn.safetensors is damaged or no checkpoint"),
        ("torn.pth", b"half", "torn.pth is damaged or no checkpoint"),
        ("empty.pth", b"", "empty.pth is damaged or no checkpoint: .*"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.safetensors", "renamed.ckpt"])
def test_safetensors_are_known_by_their_content_too(tmp_path: Path, name: str) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / name)
    assert torch.equal(checkpoint.read(tmp_path / name)["weight"], torch.ones(2))


def test_a_file_without_named_weights_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match=r"list\.pth holds no weights by their names"):
        checkpoint.read(tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        checkpoint.read(tmp_path / "none.pth")


def test_lists_within_lists_of_a_config_become_tuples() -> None:
    fields = {"num_heads": [5], "kinds": [["intra", "inter"]], "shifts": [[0, 4]], "embed_dim": 60}
    config = make_config("iitransformer", fields)
    assert config.kinds == (("intra", "inter"),)
    hash(config)


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("my weights", "denoise", "'my weights' is no name for a network: .* choose a --name"),
        ("ipt-v2-tiny-derain", "derain", "is the name of a shipped network; choose another"),
        ("mine", "De Noise", "'De Noise' is no task: write it in small letters"),
    ],
)
def test_a_name_that_cannot_be_served_is_refused_before_the_work(
    tmp_path: Path, name: str, task: str, message: str
) -> None:
    with pytest.raises(SubjectError, match=message):
        from_checkpoint(tmp_path / "none.safetensors", "grl", "tiny_laptop_x2", task, name)


def test_settings_that_make_no_network_are_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("embed_dim = 61\n")
    with pytest.raises(SubjectError, match="no grl has these settings: heads do not divide half of 61 channels"):
        from_checkpoint(tmp_path / "none.safetensors", "grl", str(tmp_path / "a.toml"), "denoise")
    (tmp_path / "a.toml").write_text("embed_dim : 61\n")
    with pytest.raises(SubjectError, match="is no TOML"):
        from_checkpoint(tmp_path / "none.safetensors", "grl", str(tmp_path / "a.toml"), "denoise")
