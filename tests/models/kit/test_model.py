from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from models.count import count
from models.kit.model import CONFIGS, Config, KiT

SMALL = Config(
    dim=8, depths=(1, 1, 1), head_dim=8, neighbours=2, rounds=2, buckets=4, cell=32, mlp_ratio=2.0, fused=True
)


def small(**changes: object) -> KiT:
    torch.manual_seed(0)
    network = KiT(replace(SMALL, **changes)).eval()
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.1)  # so that attention has a say
    nn.init.normal_(network.tail[-1].weight, std=0.1)
    return network


def test_the_published_size_is_met() -> None:
    with torch.device("meta"):
        counted = count(KiT(CONFIGS["kit"]), 256)
    assert counted.params == pytest.approx(20.56e6, rel=0.001)
    assert counted.macs == pytest.approx(44.3e9, rel=0.005)


def test_the_tiny_network_is_cheap() -> None:
    with torch.device("meta"):
        counted = count(KiT(CONFIGS["tiny_deblur"]), 256)
    assert counted.params < 0.9e6
    assert counted.macs / 256**2 < 50e3


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (33, 9)])
def test_a_picture_of_any_size_is_restored(size: tuple[int, int]) -> None:
    assert small()(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_a_pixel_does_not_feel_the_picture_growing_far_away() -> None:
    network = small().double()
    picture = torch.rand(1, 3, 32, 320, dtype=torch.float64)
    cut, whole = network(picture[..., :256]), network(picture)
    assert (whole[..., 224:256] - cut[..., 224:]).abs().max() > 1e-6  # near the change it does
    assert (whole[..., :64] - cut[..., :64]).abs().max() <= 1e-10


def test_a_batch_is_restored_picture_by_picture() -> None:
    network, pictures = small(), torch.rand(3, 3, 20, 40)
    with torch.no_grad():
        alone = torch.cat([network(picture[None]) for picture in pictures])
        # A batch is summed in another order, and Eq. 10 may multiply that rounding by up to 1 / BALANCE.
        assert (network(pictures) - alone).abs().max() <= 1e-4


def test_the_same_input_is_answered_the_same_way_by_a_network_loaded_again() -> None:
    network, other = small(), KiT(SMALL).eval()
    other.load_state_dict(network.state_dict())
    picture = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(network(picture), other(picture))
    assert any(name.endswith("rotation") for name in network.state_dict())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.02), (torch.bfloat16, 0.1)])
def test_half_precision_is_near_float32(dtype: torch.dtype, tolerance: float) -> None:
    torch.manual_seed(0)
    network, picture = KiT(SMALL).eval(), torch.rand(2, 3, 32, 64)
    with torch.no_grad():
        expected = network(picture)
        answer = network.to(dtype)(picture.to(dtype))
    assert answer.dtype is dtype
    assert (answer.float() - expected).abs().max() <= tolerance


def test_every_parameter_learns() -> None:
    network = small().train()
    network(torch.rand(1, 3, 32, 32)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("changes", [{"head_dim": 6}, {"cell": 24}, {"buckets": 5}])
def test_a_configuration_that_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"heads|cell|buckets"):
        replace(SMALL, **changes)


@pytest.mark.slow
def test_the_tiny_network_overfits_four_blurred_crops() -> None:
    torch.manual_seed(0)
    squares = torch.rand(4, 3, 16, 16).round().repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)
    blurred = nn.functional.avg_pool2d(squares, 7, stride=1, padding=3, count_include_pad=False)
    network = KiT(CONFIGS["tiny_deblur"])
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for _ in range(60):
        optimiser.zero_grad()
        loss = (network(blurred) - squares).abs().mean()
        loss.backward()
        optimiser.step()
    network.eval()
    with torch.no_grad():
        assert (network(blurred) - squares).square().mean() < (blurred - squares).square().mean() / 2
