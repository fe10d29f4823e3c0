from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from models.registry import Card, read
from training.entry import HEADER, EntryError, as_toml, enter


@pytest.fixture
def card(tmp_path: Path) -> Card:
    (tmp_path / "best.safetensors").write_bytes(b"weights")
    return Card(
        name="mine",
        version=1,
        task="derain",
        network="ipt_v2",
        config="tiny",
        weights="mine-1.safetensors",
        sha256="0" * 64,
        default=True,
        scale=1,
        recipe="mine",
        data="photographs",
        commit="abc",
        license_note='as "they" say',
        figures={"new": {"restored": {"pictures": 3, "psnr_rgb_db": 33.0}}},
    )


def registered(folder: Path, *cards: Card) -> Path:
    """A folder of weights with a registry of these cards."""
    made = folder / "weights"
    made.mkdir()
    (made / "registry.toml").write_text(HEADER + "".join(map(as_toml, cards)), encoding="utf-8")
    return made


def test_a_card_survives_the_registry(card: Card) -> None:
    (row,) = tomllib.loads(as_toml(card))["model"]
    assert Card(**row) == card


def test_whatever_a_recipe_says_survives_the_registry(card: Card, tmp_path: Path) -> None:
    said = replace(card, data='Urlaub 🌧 "2024"\t\\ \x7f\x00', figures={"sommer ☀": card.figures["new"]})
    enter(said, tmp_path / "best.safetensors", registered(tmp_path))
    assert read(tmp_path / "weights" / "registry.toml") == (said,)


def test_a_registry_that_could_not_be_read_again_is_not_written(card: Card, tmp_path: Path) -> None:
    folder = registered(tmp_path, replace(card, name="other", weights="other"))
    before = (folder / "registry.toml").read_text()
    with pytest.raises(ValueError, match="Out of range float"):
        enter(
            replace(card, figures={"new": {"restored": {"psnr_rgb_db": float("nan")}}}),
            tmp_path / "best.safetensors",
            folder,
        )
    assert (folder / "registry.toml").read_text() == before
    assert not (folder / card.weights).exists()


def test_halo_seams_and_pattern_survive_the_registry(card: Card) -> None:
    known = replace(card, halo=64, seams={"halo": 64, "max_lsb": 0.25, "photographs": True}, pattern="rggb")
    (row,) = tomllib.loads(as_toml(known))["model"]
    assert Card(**row) == known


def test_a_new_default_takes_the_place_of_the_old(card: Card, tmp_path: Path) -> None:
    old, other_scale = replace(card, name="old"), replace(card, name="x2", scale=2, weights="x2")
    folder = registered(tmp_path, replace(old, weights="old"), other_scale)
    enter(card, tmp_path / "best.safetensors", folder)
    rows = tomllib.loads((folder / "registry.toml").read_text())["model"]
    assert {row["name"]: row["default"] for row in rows} == {card.name: True, "old": False, "x2": True}


def test_entering_replaces_the_same_name_and_keeps_the_others(card: Card, tmp_path: Path) -> None:
    folder = registered(tmp_path, replace(card, name="other", task="denoise", weights="other"))
    enter(card, tmp_path / "best.safetensors", folder)
    newer = replace(card, version=2, weights="mine-2.safetensors")
    enter(newer, tmp_path / "best.safetensors", folder)
    rows = tomllib.loads((folder / "registry.toml").read_text())["model"]
    assert [(row["name"], row["version"]) for row in rows] == [("other", 1), (card.name, 2)]
    assert {path.name for path in folder.glob("*.safetensors")} == {newer.weights}


def test_what_was_shipped_while_a_weight_was_measured_stays_and_is_not_replaced_unseen(
    card: Card, tmp_path: Path
) -> None:
    folder = registered(tmp_path, replace(card, name="other", weights="other"))
    meanwhile = replace(card, name="meanwhile", weights="meanwhile")
    enter(meanwhile, tmp_path / "best.safetensors", folder)
    enter(card, tmp_path / "best.safetensors", folder)
    assert {each.name for each in read(folder / "registry.toml")} == {"other", "meanwhile", card.name}
    with pytest.raises(EntryError, match=f"version 1 of {card.name} was shipped meanwhile"):
        enter(card, tmp_path / "best.safetensors", folder)
