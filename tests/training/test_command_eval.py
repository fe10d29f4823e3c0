from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.scene import draw
from training import command_eval
from training.degradations.mosaic import bayer_planes
from training.recipe import RecipeError


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command_eval.add_arguments(parser)
    return parser.parse_args(words)


def test_mosaics_are_measured_as_the_pattern_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = (draw(45, 61) * 255).round().astype(np.uint8)
    planes = bayer_planes(45, 61, "gbrg").permute(1, 2, 0).numpy()
    for half, picture in (("target", target), ("input", (target * planes).sum(2).astype(np.uint8))):
        (tmp_path / half).mkdir()
        Image.fromarray(picture).save(tmp_path / half / "a.png")
    found = []
    for words in (["--pattern", "gbrg"], []):
        assert command_eval.run(arguments("semanir-tiny-demosaic", str(tmp_path), "--json", *words)) == 0
        (sets,) = json.loads(capsys.readouterr().out)["semanir-tiny-demosaic"].values()
        found.append(sets["restored"]["psnr_rgb_db"])
    assert found[0] > found[1] + 4


@pytest.mark.parametrize("words", [("ipt-v2-tiny-derain", "DIR"), ("semanir-tiny-demosaic",)])
def test_a_pattern_where_no_mosaic_of_a_folder_is_measured_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(RecipeError, match="--pattern"):
        command_eval.run(arguments(*words, "--pattern", "gbrg"))


def test_a_folder_of_pairs_and_one_of_the_recipes_pictures_are_not_measured_at_once() -> None:
    with pytest.raises(RecipeError, match="not both"):
        command_eval.run(arguments("ipt-v2-tiny-derain", "DIR", "--data", "DATA"))
