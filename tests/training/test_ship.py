from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.registry import Card
from training.checkpoint import save_weights
from training.evaluate import Figures
from training.recipe import Recipe, ValidationSet
from training.ship import ShipError, card_of, check_better, check_harmless, check_restores, measured_again


def figures(psnr_db: float) -> dict[str, dict[str, Figures]]:
    return {"Rain100L": {"restored": Figures(3, psnr_db - 1, 0.9, psnr_db, 0.95, psnr_db - 2, 0.1, 0)}}


def rows(*, untouched: float | None = None, **psnr_db: float) -> dict[str, dict[str, dict[str, float]]]:
    """Figures of a card by set, RGB; every input is `untouched` dB."""
    both = {"restored": psnr_db} | ({"input": dict.fromkeys(psnr_db, untouched)} if untouched else {})
    return {
        name: {kind: {"pictures": 3, "psnr_rgb_db": by_name[name]} for kind, by_name in both.items()}
        for name in psnr_db
    }


RAIN = ValidationSet(name="Rain100L", pairs="rain100L", luma=True)
NEW = ValidationSet(name="new", folder=".")
CLEAN = ValidationSet(name="clean", folder=".", clean=True)


@pytest.fixture
def card(tmp_path: Path) -> Card:
    save_weights(tmp_path / "best.safetensors", {"weight": torch.ones(1)}, "other-2")
    return make(tmp_path, 33.0, [])


def make(folder: Path, psnr_db: float, cards: list[Card], *, default: bool = False) -> Card:
    recipe = Recipe.named("ipt-v2-tiny-derain")
    weights = folder / "best.safetensors"
    note = 'as "they" say'
    return card_of(recipe, weights, figures(psnr_db), cards, commit="abc", license_note=note, default=default)


def test_figures_that_are_not_finite_are_refused(card: Card) -> None:
    with pytest.raises(ShipError, match="not finite on new"):
        check_restores(replace(card, figures=rows(new=float("nan"))), [NEW])


def test_a_card_says_what_its_weight_grew_from(card: Card) -> None:
    assert card.began_from == "other-2"


def test_a_new_weight_has_a_new_version_and_name(card: Card, tmp_path: Path) -> None:
    newer = make(tmp_path, 34.0, [card])
    assert (card.version, newer.version) == (1, 2)
    assert card.weights != newer.weights
    assert newer.default


def test_a_second_model_of_a_task_is_not_its_default(card: Card, tmp_path: Path) -> None:
    other = replace(card, name="something-else")
    assert not make(tmp_path, 34.0, [other]).default
    assert make(tmp_path, 34.0, [other], default=True).default


def test_shipped_weights_that_are_measured_again_keep_all_but_their_figures(card: Card) -> None:
    old = replace(card, default=False, license_note="mine", halo=16)
    again = measured_again(old, figures(20.0), commit="def")
    assert (again.version, again.weights, again.commit) == (2, "ipt-v2-tiny-derain-2.safetensors", "def")
    assert again.figures["Rain100L"]["restored"]["psnr_y_db"] == 20.0
    assert replace(again, version=1, weights=old.weights, commit=old.commit, figures=old.figures) == old


def test_a_weight_is_replaced_only_by_a_better_one(card: Card, tmp_path: Path) -> None:
    check_better(make(tmp_path, 33.1, [card]), card, [RAIN])
    with pytest.raises(ShipError, match=r"33\.000 dB on average is not better than version 1"):
        check_better(make(tmp_path, 33.0, [card]), card, [RAIN])


def test_a_weight_that_restores_better_but_harms_clean_pictures_more_is_not_better(card: Card) -> None:
    harmless, harmful = (replace(card, figures=rows(new=db, clean=kept)) for db, kept in ((33.0, 39.0), (34.0, 37.0)))
    with pytest.raises(ShipError, match=r"32\.000 dB on average is not better than version 1, 33\.000 dB \(less"):
        check_better(harmful, harmless, [NEW, CLEAN])


def test_a_weight_that_mends_harm_may_restore_a_little_less(card: Card) -> None:
    def shipped(restored_db: float, harmed: int) -> Card:
        both = rows(new=restored_db, clean=42.0)
        both["clean"]["restored"] |= {"pictures": 4, "changed": harmed}
        return replace(card, figures=both)

    check_better(shipped(32.9, 1), shipped(33.0, 4), [NEW, CLEAN])
    with pytest.raises(ShipError, match=r"32\.850 dB on average is not better than version 1, 32\.900 dB \(less"):
        check_better(shipped(32.9, 1), shipped(33.0, 2), [NEW, CLEAN])
    with pytest.raises(ShipError, match=r"32\.900 dB on average is not better than version 1, 33\.000 dB"):
        check_better(shipped(32.9, 0), shipped(33.0, 0), [NEW, CLEAN])


def test_a_weight_that_is_worse_than_the_pictures_as_they_came_is_refused(card: Card) -> None:
    check_restores(replace(card, figures=rows(new=32.2, untouched=32.15)), [NEW])
    with pytest.raises(ShipError, match=r"31\.970 dB on average is not better than the pictures as they came, 32\.150"):
        check_restores(replace(card, figures=rows(new=31.97, untouched=32.15)), [NEW])
    check_restores(replace(card, figures=rows(new=31.97)), [NEW])  # made larger: the input is of another size


def test_figures_of_other_pictures_are_not_compared(card: Card) -> None:
    old, same, other = (
        replace(card, figures=rows(new=db, untouched=base)) for db, base in ((30, 25), (31, 25), (33, 28))
    )
    check_better(same, old, [NEW])
    with pytest.raises(ShipError, match="new: other pictures or damage than version 1 was measured on"):
        check_better(other, old, [NEW])
    other.figures["new"]["input"] = old.figures["new"]["input"]
    other.figures["new"]["restored"] |= {"pictures": 7}
    with pytest.raises(ShipError, match="other pictures"):
        check_better(other, old, [NEW])


def test_sets_may_come_and_go_but_one_must_be_left_to_compare_by(card: Card) -> None:
    old = replace(card, figures=rows(old=40.0, both=30.0, clean=40.0))
    new = replace(card, figures=rows(new=20.0, both=31.0, clean=40.0))
    check_better(new, old, [NEW, CLEAN, ValidationSet(name="both", folder=".")])
    with pytest.raises(ShipError, match="nothing to compare by"):
        check_better(new, old, [NEW, CLEAN])


def test_a_card_has_the_scale_of_its_network_whatever_the_recipe_leaves_out(card: Card, tmp_path: Path) -> None:
    recipe = Recipe.named("grl-tiny-upscale-x2").model_copy(update={"degradation": {"kind": "downscale"}})
    made = card_of(recipe, tmp_path / "best.safetensors", figures(30.0), [card], commit="abc", license_note="")
    assert made.scale == 2


def test_a_weight_that_harms_clean_pictures_is_not_shipped(card: Card) -> None:
    def harming(changed: int) -> Card:
        row = {"pictures": 3, "psnr_rgb_db": 45.0, "least_psnr_rgb_db": 37.9, "shift": 0.3, "changed": changed}
        return replace(card, figures={"clean": {"restored": row}})

    check_harmless(harming(0), None, [CLEAN])
    refused = r"1 clean pictures of clean are left with down to 37\.9 dB .* shifted by up to 0\.30 of 255"
    with pytest.raises(ShipError, match=refused):
        check_harmless(harming(1), None, [CLEAN])
    check_harmless(harming(2), harming(2), [CLEAN])
