from __future__ import annotations

import pytest

from training.harm import harmed, harms, harms_more
from training.recipe import ValidationSet

SETS = (ValidationSet(name="clean", folder=".", clean=True), ValidationSet(name="noisy", folder="."))


def row(least_db: float, shift: float) -> dict[str, float]:
    return {"psnr_rgb_db": 50.0, "least_psnr_rgb_db": least_db, "shift": shift}


@pytest.mark.parametrize(("least_db", "shift", "harm"), [(38, 0.29, False), (37.9, 0, True), (60, 0.3, True)])
def test_one_picture_or_one_colour_is_enough_to_harm(least_db: float, shift: float, harm: bool) -> None:
    assert harms(row(least_db, shift)) == harm


@pytest.mark.parametrize(
    ("new", "old", "more"),
    [
        (row(36, 0.5), row(35, 0.6), False),
        (row(34, 0.5), row(35, 0.6), True),
        (row(36, 0.7), row(35, 0.6), True),
        (row(39, 0.2), row(60, 0.0), False),  # further off than before, and still no harm
        (row(37, 0.0), row(60, 0.0), True),
    ],
)
def test_what_does_no_harm_never_harms_more(new: dict[str, float], old: dict[str, float], more: bool) -> None:
    assert harms_more(new, old) == more


def test_a_first_weight_must_not_harm_and_another_not_more_than_the_one_before() -> None:
    new, old = ({"clean": {"restored": row(db, 0.1)}, "noisy": {"restored": row(20, 9)}} for db in (36, 35))
    assert harmed(new, None, SETS) == ["clean"]
    assert harmed(new, old, SETS) == []
    assert harmed(old, new, SETS) == ["clean"]


def test_what_an_older_card_does_not_tell_is_not_compared() -> None:
    new = {"clean": {"restored": row(36, 0.1)}}
    assert harmed(new, {"clean": {"restored": {"psnr_rgb_db": 50.0}}}, SETS) == []
    assert harmed(new, {}, SETS) == []
