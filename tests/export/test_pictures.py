from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export import pictures, probe
from models import build, registry
from models.registry import Card


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNSEAM_DATA", str(tmp_path))
    for index, size in enumerate([(80, 60), (64, 64), (30, 90), (100, 100), (90, 90)]):
        Image.new("RGB", size, (50 * index, 0, 0)).save(tmp_path / f"{index}.png")
    (tmp_path / "README.md").write_text("")
    return tmp_path


def test_photographs_are_centre_crops_of_those_that_are_large_enough(folder: Path) -> None:
    found = pictures.photographs(2, 64, 3)
    assert [picture.shape for picture in found] == [(64, 64, 3)] * 2
    assert [round(float(picture[0, 0, 0]) * 255) for picture in found] == [50, 150]
    assert pictures.photographs(2, 64, 1)[0].shape == (64, 64, 1)


def test_without_a_folder_there_are_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pictures.photographs(2, 200, 3) == []
    monkeypatch.delenv("UNSEAM_DATA")
    assert pictures.photographs(2, 64, 3) == []


def test_it_is_said_whether_a_graph_is_compared_on_a_photograph(folder: Path) -> None:
    assert pictures.described(64, 3) == "a photograph, a generated picture and noise"
    assert pictures.described(200, 3) == "generated pictures and noise: UNSEAM_DATA has no photograph of 200 pixels"


def test_dead_leaves_have_edges_and_flat_regions() -> None:
    picture = pictures.dead_leaves(128, 3, seed=1)
    assert picture.shape == (128, 128, 3)
    assert picture.dtype == np.float32
    step = np.abs(np.diff(picture, axis=1)).max(axis=2)
    assert 0.05 < np.mean(step > 0.1) < 0.5
    assert np.array_equal(picture, pictures.dead_leaves(128, 3, seed=1))
    assert not np.array_equal(picture, pictures.dead_leaves(128, 3, seed=2))


def test_damage_leaves_no_part_of_a_picture_as_it_was_and_its_size_alone() -> None:
    drawn = pictures.dead_leaves(96, 3)
    spoilt = pictures.spoilt(drawn)
    assert spoilt.shape == drawn.shape
    assert spoilt.dtype == np.float32
    assert 0 < spoilt.min() < spoilt.max() < 1  # nothing is white or black throughout
    rained, blurred = np.array_split(spoilt - (0.05 + 0.9 * drawn), 2)
    assert 0.02 < (rained > 0.1).mean() < 0.3
    assert (rained < -0.1).mean() == 0  # rain is light
    assert np.abs(blurred).max() > 0.1


@pytest.mark.parametrize("card", registry.cards(), ids=lambda card: card.name)
def test_every_shipped_network_changes_the_damaged_half_of_the_probe(card: Card) -> None:
    network = build.load(card).eval()
    tile = probe.tile(probe.picture(network.in_channels), 256)
    with torch.inference_mode():
        restored = network.restore(torch.from_numpy(tile)).numpy()
    enlarged = tile.repeat(network.scale, -1).repeat(network.scale, -2)
    halves = np.abs(restored - enlarged)[..., : restored.shape[-1] // 2]
    assert halves.max() > 15 / 255
