from __future__ import annotations

import pytest
import torch
from torch import nn

from models.ipt_v2.model import CONFIGS, IPTV2
from models.layers.rep_conv import RepPointwise, branched, hold_pairs, merged


@pytest.mark.parametrize("channels", [(6, 24), (24, 6), (6, 6)])
def test_weights_kept_as_one_matrix_answer_alike_as_two_again(channels: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network, again = (nn.Sequential(RepPointwise(*channels)) for _ in range(2))
    kept = merged(network, network.state_dict())
    assert {name: tuple(value.shape) for name, value in kept.items()} == {"0.weight": channels[::-1]}
    again.load_state_dict(branched(again, kept))
    x = torch.randn(5, channels[0])
    with torch.no_grad():
        assert torch.allclose(again(x), network(x), rtol=0, atol=1e-5)
        assert torch.equal(again[0].weight(), kept["0.weight"])


@pytest.mark.parametrize("channels", [(6, 24), (24, 6), (6, 6)])
def test_a_held_pair_answers_as_before_and_one_of_its_matrices_moves(channels: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(RepPointwise(*channels))
    x = torch.randn(5, channels[0])
    with torch.no_grad():
        before = network(x)
        hold_pairs(network)
        assert torch.allclose(network(x), before, rtol=0, atol=1e-5)
    (moving,) = (parameter for parameter in network.parameters() if parameter.requires_grad)
    assert torch.equal(moving, network[0].weight())
    assert branched(network, merged(network, network.state_dict())).keys() == network.state_dict().keys()


def test_weights_kept_as_two_matrices_are_taken_as_they_are() -> None:
    network = nn.Sequential(RepPointwise(6, 24), nn.Linear(24, 3))
    state = network.state_dict()
    assert branched(network, state) == state


def test_two_thirds_of_an_ipt_v2_need_not_be_kept() -> None:
    with torch.device("meta"):
        network = IPTV2(CONFIGS["tiny_deep"])
    whole, kept = (
        sum(value.numel() for value in state.values())
        for state in (network.state_dict(), merged(network, network.state_dict()))
    )
    assert kept < 0.37 * whole
