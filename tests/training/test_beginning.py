from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.ipt_v2.model import IPTV2, Config
from models.kit.model import Config as KiTConfig
from models.kit.model import KiT
from models.layers.rep_conv import merged
from training.beginning import Beginning, BeginningError, begin_from, begin_quietly

SMALL = Config(embed_dim=8, depths=(2, 2), num_heads=(1, 2), grid=4, window=8, cell=16)


def made(**changes: object) -> IPTV2:
    torch.manual_seed(0)
    network = IPTV2(Config(**{**vars(SMALL), **changes})).eval()
    torch.nn.init.normal_(network.head.weight, std=0.1)
    return network


def test_a_run_begins_with_the_picture_itself() -> None:
    network = KiT(KiTConfig(dim=8, depths=(1, 1), head_dim=8, patch=2, neighbours=2, buckets=4, cell=16)).eval()
    picture = torch.rand(1, 3, 16, 16)
    begin_quietly(network)
    assert torch.equal(network(picture), picture)


def test_a_deeper_network_begins_with_the_answers_of_the_one_it_grew_from() -> None:
    shallow, deep = made(), made(depths=(4, 2))
    picture = torch.rand(2, 3, 32, 16)
    assert not torch.allclose(deep(picture), shallow(picture), atol=1e-3)
    begin_from(deep, Beginning("shallow", shallow.state_dict()))
    assert torch.allclose(deep(picture), shallow(picture), atol=1e-6)


def test_a_network_begins_with_the_answers_of_weights_kept_as_one_matrix_a_pair() -> None:
    one, other = made(), made(depths=(4, 2))
    picture = torch.rand(2, 3, 32, 16)
    begin_from(other, Beginning("one", merged(one, one.state_dict())))
    assert torch.allclose(other(picture), one(picture), atol=1e-4)


def test_layers_added_to_a_network_learn() -> None:
    deep = made(depths=(4, 2)).train()
    begin_from(deep, Beginning("shallow", made().state_dict()))
    optimiser = torch.optim.SGD(deep.parameters(), lr=1e-2)
    before = {name: value.clone() for name, value in deep.state_dict().items() if name.startswith("encoders.0.2.")}
    for _ in range(2):  # the first step moves the last matrices from zero, the second one what lies before them
        optimiser.zero_grad()
        deep(torch.rand(1, 3, 32, 32)).square().mean().backward()
        optimiser.step()
    moved = {name for name, value in before.items() if not torch.equal(value, deep.state_dict()[name])}
    assert {"encoders.0.2.attention.qkv.weight", "encoders.0.2.feed_forward.reduce.second"} <= moved


def test_weights_of_another_shape_are_left_as_they_were() -> None:
    one, other = made(), made(channels=1)
    head = other.head.weight.clone()
    begin_from(other, Beginning("one", one.state_dict()))
    assert torch.equal(other.head.weight, head)
    assert torch.equal(other.downs[0].conv.weight, one.downs[0].conv.weight)


def test_weights_of_another_network_are_refused_by_name() -> None:
    kit = KiT(KiTConfig(dim=8, depths=(1, 1), head_dim=8, patch=2, neighbours=2, buckets=4, cell=16))
    with pytest.raises(BeginningError, match="kit-tiny-deblur-1 is no beginning for this network: 0 of its"):
        begin_from(made(), Beginning("kit-tiny-deblur-1", kit.state_dict()))


@pytest.mark.parametrize(
    ("file", "name"),
    [("runs/derain/best.safetensors", "derain"), ("weights/ipt-v2-tiny-derain-3.safetensors", "ipt-v2-tiny-derain-3")],
)
def test_a_beginning_is_told_by_its_run_or_its_file(tmp_path: Path, file: str, name: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    save_file({"weight": torch.ones(1)}, path)
    assert Beginning.read(path).name == name


def test_a_file_that_is_no_safetensors_is_no_beginning(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1)}, tmp_path / "checkpoint.pt")
    with pytest.raises(BeginningError, match=r"checkpoint\.pt holds no weights as safetensors"):
        Beginning.read(tmp_path / "checkpoint.pt")
