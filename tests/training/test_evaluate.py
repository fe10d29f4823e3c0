from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.ipt_v2.model import CONFIGS, IPTV2
from training.dataset import DatasetError
from training.evaluate import compare, evaluate, folder_examples, summary


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for half in ("input", "target"):
        (tmp_path / half).mkdir()
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(tmp_path / half / "a.png")
    return tmp_path


def test_a_network_that_changes_nothing_measures_as_its_input(folder: Path) -> None:
    untrained = IPTV2(CONFIGS["tiny"]).eval()
    both = evaluate(untrained, folder_examples(folder), torch.device("cpu"))
    assert both["restored"] == both["input"]
    assert both["input"].pictures == 1
    assert both["input"].psnr_rgb_db < both["input"].psnr_y_db < 15


def test_a_picture_without_its_other_half_is_named(folder: Path) -> None:
    path = folder / "target" / "a.png"
    (folder / "target" / "b.png").write_bytes(path.read_bytes())
    with pytest.raises(DatasetError, match=r"input lacks b$"):
        list(folder_examples(folder))
    path.unlink()
    with pytest.raises(DatasetError, match=r"target lacks a$"):
        list(folder_examples(folder))


def test_pictures_of_one_name_in_several_folders_go_with_their_own(tmp_path: Path) -> None:
    for half, suffix in (("input", "bmp"), ("target", "png")):
        for scene, grey in (("one", 10), ("two", 200)):
            (tmp_path / half / scene).mkdir(parents=True)
            Image.new("L", (4, 4), grey).save(tmp_path / half / scene / f"1.{suffix}")
    for example in folder_examples(tmp_path):
        assert np.array_equal(example.degraded, example.target)
    (tmp_path / "input" / "one" / "1.png").write_bytes((tmp_path / "target" / "one" / "1.png").read_bytes())
    with pytest.raises(DatasetError, match="have one name"):
        list(folder_examples(tmp_path))


def test_mosaics_are_read_as_the_network_takes_them(folder: Path) -> None:
    with Image.open(folder / "input" / "a.png") as image:
        image.convert("L").save(folder / "input" / "a.png")
    (example,) = folder_examples(folder, 1)
    assert (example.degraded.shape, example.target.shape) == ((20, 30, 1), (20, 30, 3))


@pytest.mark.parametrize(
    ("size", "border", "said"), [((30, 22), 0, "shape"), ((30, 20), 12, "border"), ((9, 9), 0, "11")]
)
def test_a_picture_that_cannot_be_measured_is_named(
    folder: Path, size: tuple[int, int], border: int, said: str
) -> None:
    for half in ("input", "target")[size == (30, 22) :]:
        Image.new("RGB", size).save(folder / half / "a.png")
    with pytest.raises(DatasetError, match=f"^a: .*{said}"):
        evaluate(IPTV2(CONFIGS["tiny"]).eval(), folder_examples(folder), torch.device("cpu"), border)


def test_a_folder_without_both_halves_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="input and target"):
        list(folder_examples(tmp_path))


def test_the_worst_picture_is_told_beside_the_means() -> None:
    target = np.full((16, 16, 3), 0.5, np.float32)
    red = target + np.float32([0.01, 0, 0])
    both = summary([compare(target, target, 0), compare(red, target, 0)])
    assert both.least_psnr_rgb_db == pytest.approx(-10 * np.log10(0.01**2 / 3), abs=0.01)
    assert both.psnr_rgb_db == pytest.approx((100 + both.least_psnr_rgb_db) / 2, abs=0.01)
    assert both.shift == pytest.approx(2.55, abs=0.01)
    assert both.changed == 1
