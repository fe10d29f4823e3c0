from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import gallery
from benchmarks.sheets import CAPTION, GAP
from models.registry import cards, find
from training.recipe import Recipe

CARD = find("ipt-v2-tiny-derain")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "val" / "Set5"
    folder.mkdir(parents=True)
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    return tmp_path


@pytest.fixture
def recipe() -> Recipe:
    table = Recipe.named("ipt-v2-tiny-denoise").model_dump()
    sets = [{"name": "noisy", "folder": "val/Set5"}, {"name": "clean", "folder": "val/Set5", "clean": True}]
    return Recipe(**{**table, "validation": sets})


def test_a_sheet_has_a_few_pictures_of_each_set_that_shows_damage(data: Path, recipe: Recipe) -> None:
    page = gallery.sheet(CARD, recipe, data)
    assert page.height == GAP + gallery.PER_SET * (CAPTION + gallery.SIDE + GAP)
    assert page.width == GAP + 3 * (gallery.SIDE + GAP)


def test_every_model_gets_its_sheet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(gallery, "sheet", lambda card, recipe, data: Image.new("RGB", (1, 1)))
    written = tmp_path / "sheets"
    monkeypatch.setattr(sys, "argv", ["gallery", "--data", str(data), "--folder", str(written)])
    gallery.main()
    assert {path.stem for path in written.iterdir()} == {card.name for card in cards()}
    assert len(capsys.readouterr().out.splitlines()) == len(cards())


def test_a_data_folder_without_pictures_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["gallery", "--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        gallery.main()
    assert f"there is no folder {tmp_path / 'val'}" in capsys.readouterr().err
