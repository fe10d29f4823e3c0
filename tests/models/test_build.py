from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models import registry
from models.build import NETWORKS, BuildError, WeightsError, configs, create, load, load_weights


@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_has_a_tiny_configuration(network: str) -> None:
    assert any(name.startswith("tiny") for name in configs(network))


def test_a_shipped_network_loads_and_changes_a_picture() -> None:
    network = load(registry.for_task("derain"))
    picture = torch.rand(1, 3, 40, 56)
    with torch.inference_mode():
        restored = network(picture)
    assert restored.shape == picture.shape
    assert not torch.equal(restored, picture)
    assert not network.training


def test_an_altered_weight_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = registry.for_task("derain")
    content = card.path.read_bytes()
    (tmp_path / card.weights).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    monkeypatch.setattr(registry, "WEIGHTS", tmp_path)
    with pytest.raises(WeightsError, match="not the file its card names"):
        load(card)


def test_a_missing_weight_is_named() -> None:
    with pytest.raises(WeightsError, match=r"nowhere\.safetensors"):
        load(replace(registry.for_task("derain"), weights="nowhere.safetensors"))


def test_unknown_networks_and_configurations_are_answered_with_those_there_are() -> None:
    with pytest.raises(BuildError, match="ipt_v2"):
        create("resnet", "tiny")
    with pytest.raises(BuildError, match="small"):
        create("ipt_v2", "enormous")


def test_weights_that_do_not_fit_are_told_in_a_line(tmp_path: Path) -> None:
    network = create("ipt_v2", "tiny")
    save_file({"weight": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors does not fit IPTV2: Missing key") as caught:
        load_weights(network, tmp_path / "other.safetensors")
    assert len(str(caught.value)) < 300
    (tmp_path / "checkpoint.pt").write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"checkpoint\.pt holds no weights as safetensors"):
        load_weights(network, tmp_path / "checkpoint.pt")
