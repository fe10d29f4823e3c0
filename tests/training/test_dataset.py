from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.dataset import DatasetError, Photographs, held_out, pictures, read_pairs, without


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


def test_a_folder_that_is_not_there_or_has_no_pictures_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"/vall is not a folder"):
        pictures(tmp_path / "vall")
    with pytest.raises(DatasetError, match=f"{tmp_path} has no pictures"):
        pictures(tmp_path)


def test_a_pair_to_hold_out_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("rainy\tclean\tset\na.png\tb.png\tmine\n")
    assert [pair.set for pair in held_out(tmp_path, ["a.png"])] == ["mine"]
    with pytest.raises(DatasetError, match=r"pairs\.tsv has no aa\.png to hold out"):
        held_out(tmp_path, ["a.png", "aa.png"])


def test_a_pair_that_lacks_a_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("rainy\tclean\na.png\tb.png\n")
    with pytest.raises(DatasetError, match=r"pairs\.tsv: line 2 lacks set"):
        read_pairs(tmp_path)


def test_pictures_of_linked_folders_are_seen_once(paths: list[Path], tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "there").symlink_to(tmp_path)
    assert {path.name for path in pictures(linked)} == {path.name for path in paths}
    assert len(pictures(linked)) == len(paths)
