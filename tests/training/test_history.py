from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.history import continued, keep


def rows(*loss: float) -> list[dict[str, object]]:
    """A run's history: a row every 10 steps and 60 seconds."""
    return [
        {"step": 10 * n, "elapsed_s": 60.0 * n, "pictures": 40 * n, "loss": value, "Set5": 30.1234567}
        for n, value in enumerate(loss, 1)
    ]


def test_a_run_counts_on_from_what_is_kept() -> None:
    found = continued(continued([], rows(0.3, 0.2)), rows(0.1))
    assert [(row["step"], row["elapsed_s"], row["pictures"], row["loss"]) for row in found] == [
        (10, 60.0, 40, 0.3),
        (20, 120.0, 80, 0.2),
        (30, 180.0, 120, 0.1),
    ]
    assert {row["Set5"] for row in found} == {30.12346}


def test_a_run_that_is_kept_already_is_there_once() -> None:
    first = continued([], rows(0.4))
    twice = continued(continued(first, rows(0.3)), rows(0.3, 0.2))
    assert [(row["step"], row["loss"]) for row in twice] == [(10, 0.4), (20, 0.3), (30, 0.2)]


def test_a_run_without_validations_adds_nothing() -> None:
    assert continued(rows(0.3), []) == rows(0.3)


@pytest.mark.parametrize(("goes_on", "losses"), [(True, [0.3, 0.2, 0.1]), (False, [0.1])])
def test_a_run_comes_after_or_in_place_of_the_weights_history(
    tmp_path: Path, goes_on: bool, losses: list[float]
) -> None:
    (tmp_path / "net.json").write_text(json.dumps(rows(0.3, 0.2)))
    (tmp_path / "history.json").write_text(json.dumps(rows(0.1)))
    keep(tmp_path, "net", goes_on=goes_on, histories=tmp_path)
    assert [row["loss"] for row in json.loads((tmp_path / "net.json").read_text())] == losses
    assert not list(tmp_path.glob("*.partial"))


def test_a_run_without_a_history_leaves_the_kept_one_alone(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps(rows(0.3)))
    keep(tmp_path / "run", "net", goes_on=False, histories=tmp_path)
    assert json.loads((tmp_path / "net.json").read_text()) == rows(0.3)
