from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn

from training.optimizer import LEAST_SIDE, MuonAndAdamW, create_optimizer, follow
from training.recipe import Phase, Schedule

RATE = 0.01


def schedule(optimizer: str) -> Schedule:
    phases = (Phase(until=1, patch=8, batch=1),)
    return Schedule.model_validate({"steps": 9, "lr": 1e-3, "phases": phases, "optimizer": optimizer})


def stepped(network: nn.Module, optimizer: Any) -> list[torch.Tensor]:
    """The weights after one step at RATE on one picture."""
    for group in optimizer.param_groups:
        group["lr"] = RATE
    network(torch.ones(1, 32).cumsum(1) / 32).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return [parameter.detach().clone() for parameter in network.parameters()]


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(32, 48), nn.GELU(), nn.Linear(48, LEAST_SIDE - 1))


def test_muon_moves_a_matrix_alike_in_all_directions_of_its_gradient_and_as_far_as_adamw() -> None:
    torch.manual_seed(0)
    matrix = nn.Linear(32, 48)
    before = matrix.weight.detach().clone()
    muon = create_optimizer(matrix, schedule("muon"))
    for group in muon.param_groups:
        group["lr"] = RATE
    matrix.weight.grad = torch.randn(48, 32) @ torch.diag(torch.logspace(0, -1, 32))  # ten times as long one way
    muon.step()
    change = matrix.weight.detach() - before
    values = torch.linalg.svdvals(change)
    assert values.max() < 2 * values.min()
    assert change.square().mean().sqrt() == pytest.approx(0.2 * RATE, rel=0.3)


def test_what_is_no_matrix_moves_as_by_adamw(network: nn.Module) -> None:
    before, other = [parameter.detach().clone() for parameter in network.parameters()], deepcopy(network)
    by_muon = stepped(network, create_optimizer(network, schedule("muon")))
    by_adamw = stepped(other, create_optimizer(other, schedule("adamw")))
    for ours, theirs, was in zip(by_muon, by_adamw, before, strict=True):
        assert not torch.equal(ours, was)
        assert torch.equal(ours, theirs) == (ours.ndim != 2 or min(ours.shape) < LEAST_SIDE)


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_a_restored_optimizer_goes_on_as_one_that_never_stopped(kind: str, network: nn.Module) -> None:
    first = create_optimizer(network, schedule(kind))
    stepped(network, first)
    other = deepcopy(network)
    second = create_optimizer(other, schedule(kind))
    second.load_state_dict(deepcopy(first.state_dict()))
    for ours, theirs in zip(stepped(other, second), stepped(network, first), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_an_optimizer_follows_the_schedule_as_it_is_now(kind: str, network: nn.Module) -> None:
    optimizer = create_optimizer(network, schedule(kind))
    follow(optimizer, schedule(kind).model_copy(update={"weight_decay": 0.5, "betas": (0.8, 0.9)}))
    assert all(group["weight_decay"] == 0.5 for group in optimizer.param_groups)
    assert [group["betas"] for group in optimizer.param_groups if "betas" in group] == [(0.8, 0.9)]


def test_a_state_of_another_optimizer_is_refused() -> None:
    network = nn.Linear(32, 32)
    with pytest.raises(KeyError):
        MuonAndAdamW(network, schedule("muon")).load_state_dict(
            create_optimizer(network, schedule("adamw")).state_dict()
        )
