from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.ipt_v2.model import CONFIGS, IPTV2
from training.dataset import DatasetError
from training.evaluate import evaluate, folder_examples


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


def test_an_input_without_its_target_is_named(folder: Path) -> None:
    (folder / "target" / "a.png").rename(folder / "target" / "b.png")
    with pytest.raises(DatasetError, match=r"a\.png has no picture of that name"):
        list(folder_examples(folder))


def test_a_folder_without_both_halves_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="input and target"):
        list(folder_examples(tmp_path))
