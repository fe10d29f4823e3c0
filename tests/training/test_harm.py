from __future__ import annotations

import pytest

from training.harm import changed, costs_db, harmed
from training.recipe import ValidationSet

SETS = (ValidationSet(name="clean", folder=".", clean=True), ValidationSet(name="noisy", folder="."))


def clean(changed: int, pictures: int = 4) -> dict[str, dict[str, dict[str, int]]]:
    return {"clean": {"restored": {"changed": changed, "pictures": pictures}}, "noisy": {"restored": {"changed": 3}}}


@pytest.mark.parametrize(("psnr_db", "shift", "harm"), [(38, 0.29, False), (37.9, 0, True), (60, 0.3, True)])
def test_a_picture_is_harmed_by_its_values_or_by_its_colours(psnr_db: float, shift: float, harm: bool) -> None:
    assert changed(psnr_db, shift) == harm


def test_harm_costs_by_the_share_of_clean_pictures() -> None:
    assert costs_db(clean(3), SETS) == pytest.approx(0.15)
    assert costs_db({"clean": {"restored": {"psnr_rgb_db": 50.0}}}, SETS) == 0


def test_a_first_weight_must_not_harm_and_another_not_more_than_the_one_before() -> None:
    assert harmed(clean(0), None, SETS) == []
    assert harmed(clean(1), None, SETS) == ["clean"]
    assert harmed(clean(2), clean(2), SETS) == []
    assert harmed(clean(3), clean(2), SETS) == ["clean"]
    assert harmed(clean(3), clean(5, pictures=6), SETS) == []


def test_what_an_older_card_does_not_tell_is_not_compared() -> None:
    assert harmed(clean(4), {"clean": {"restored": {"psnr_rgb_db": 50.0}}}, SETS) == []
    assert harmed(clean(4), {}, SETS) == []
