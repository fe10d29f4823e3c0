from __future__ import annotations

import pytest
import torch
from torch import Tensor

from models.layers.near_ties import settled, watched

SCORES = torch.tensor([[5.0, 3.0, 3.0 - 1e-6, 1.0], [5.0, 3.0, 2.0, 1.0]])  # the first row's second place is close
TWO = torch.tensor([[1, 0], [0, 1]])


def choose(scores: Tensor, chosen: Tensor) -> Tensor:
    return settled(scores, chosen, lambda: torch.tensor(1.0))


def test_unwatched_the_choice_is_left_alone() -> None:
    assert choose(SCORES, TWO) is TWO


def test_near_ties_are_counted_and_only_these_fall_the_other_way() -> None:
    with watched() as watch:
        assert choose(SCORES, TWO).tolist() == [[1, 0], [0, 1]]
    assert watch.count == 1
    with watched(other_way=True):
        assert choose(SCORES, TWO).sort().values.tolist() == [[0, 2], [0, 1]]


def test_of_a_cluster_of_near_ties_and_of_equal_scores_those_come_that_were_left_out() -> None:
    close = torch.tensor([5.0, 3 + 1e-6, 3.0, 3.0, 3 - 1e-6, 1.0])
    with watched(other_way=True):
        assert set(choose(close, torch.tensor([0, 1, 2])).tolist()) == {0, 3, 4}
        assert choose(torch.ones(4), torch.tensor([0])).tolist() == [3]


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        (torch.tensor([3.0, -torch.inf, -torch.inf]), torch.tensor([0])),  # no other candidate
        (torch.tensor([3.0, -torch.inf, -torch.inf]), torch.tensor([0, 1])),  # more places than candidates
        (torch.tensor([3.0, 3.0]), torch.tensor([0, 1])),  # all are chosen
    ],
)
def test_without_another_candidate_there_is_no_tie(scores: Tensor, chosen: Tensor) -> None:
    with watched(other_way=True) as watch:
        assert choose(scores, chosen).equal(chosen)
    assert watch.count == 0


def test_a_watch_ends_with_its_block() -> None:
    with watched(other_way=True):
        pass
    assert choose(SCORES, TWO) is TWO
