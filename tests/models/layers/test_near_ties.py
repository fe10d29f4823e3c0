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
    with watched(watch):
        assert choose(SCORES, TWO).sort().values.tolist() == [[0, 2], [0, 1]]


def test_of_a_cluster_of_near_ties_and_of_equal_scores_those_come_that_were_left_out() -> None:
    close = torch.tensor([5.0, 3 + 1e-6, 3.0, 3.0, 3 - 1e-6, 1.0])

    def both() -> tuple[set[int], list[int]]:
        return set(choose(close, torch.tensor([0, 1, 2])).tolist()), choose(torch.ones(4), torch.tensor([0])).tolist()

    with watched() as watch:
        assert both() == ({0, 1, 2}, [0])
    with watched(watch):
        assert both() == ({0, 3, 4}, [3])


def test_a_near_tie_that_falls_the_other_way_by_itself_is_not_turned_back() -> None:
    with watched() as watch:
        assert choose(torch.tensor([3.0, 3 - 1e-6, 1.0]), torch.tensor([0])).tolist() == [0]
    with watched(watch):  # an earlier selection has changed the scores
        assert choose(torch.tensor([3 - 1e-6, 3.0, 1.0]), torch.tensor([1])).tolist() == [1]
    with watched(watch):
        assert choose(torch.tensor([3.0, 2.0, 1.0]), torch.tensor([0])).tolist() == [1]


def test_what_is_a_near_tie_only_after_others_were_overturned_falls_the_other_way_too() -> None:
    with watched() as watch:
        choose(torch.tensor([3.0, 2.0, 1.0]), torch.tensor([0]))
    with watched(watch):
        assert choose(torch.tensor([3.0, 3 - 1e-6, 1.0]), torch.tensor([0])).tolist() == [1]


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        (torch.tensor([3.0, -torch.inf, -torch.inf]), torch.tensor([0])),  # no other candidate
        (torch.tensor([3.0, -torch.inf, -torch.inf]), torch.tensor([0, 1])),  # more places than candidates
        (torch.tensor([3.0, 3.0]), torch.tensor([0, 1])),  # all are chosen
    ],
)
def test_without_another_candidate_there_is_no_tie(scores: Tensor, chosen: Tensor) -> None:
    with watched() as watch:
        choose(scores, chosen)
    assert watch.count == 0
    with watched(watch):
        assert choose(scores, chosen).equal(chosen)


def test_a_watch_ends_with_its_block() -> None:
    with watched():
        pass
    assert choose(SCORES, TWO) is TWO
