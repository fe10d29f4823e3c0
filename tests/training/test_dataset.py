from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.dataset import DatasetError, Photographs, pictures, without


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    for name, size in (("small", 8), ("large", 20)):
        Image.fromarray(np.full((size, size + 2, 3), size, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    return pictures(tmp_path)


def test_crops_come_only_from_pictures_that_hold_them(paths: list[Path]) -> None:
    crops = Photographs(paths, torch.device("cpu")).crops(16, 10, torch.Generator().manual_seed(0))
    assert crops.shape == (16, 3, 10, 10)
    assert torch.all(crops == 20 / 255)


def test_a_seed_gives_the_same_crops(paths: list[Path]) -> None:
    photographs = Photographs(paths, torch.device("cpu"))
    first, second = (photographs.crops(4, 6, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, second)


def test_a_crop_larger_than_every_picture_is_refused(paths: list[Path]) -> None:
    with pytest.raises(DatasetError, match="64x64"):
        Photographs(paths, torch.device("cpu")).crops(1, 64, torch.Generator())


def test_photographs_of_held_out_pairs_are_left_out_however_they_are_written(paths: list[Path]) -> None:
    indirect = paths[0].parent / "." / ".." / paths[0].parent.name / paths[0].name
    assert without(paths, [indirect]) == paths[1:]
