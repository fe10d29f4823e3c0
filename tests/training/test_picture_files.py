from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.picture_files import PictureFileError, read, read_8bit

RAMP = np.arange(12 * 8, dtype=np.uint16).reshape(8, 12) * 680


def test_16_bit_grey_keeps_its_values(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "deep.png")
    for channels in (1, 3):
        pixels = read(tmp_path / "deep.png", channels)
        assert pixels.shape == (8, 12, channels)
        assert np.allclose(pixels, RAMP[..., None] / 65535, atol=1e-6)
    assert read_8bit(tmp_path / "deep.png").max() == round(RAMP.max() / 257)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_8_bits_are_read_as_they_are_stored(tmp_path: Path, suffix: str, mode: str) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    image = Image.fromarray(colours).convert(mode)
    image.save(tmp_path / f"a.{suffix}")
    assert np.array_equal(read_8bit(tmp_path / f"a.{suffix}"), np.asarray(image.convert("RGB")))


def test_colours_are_not_taken_for_one_channel(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (9, 9, 9)).save(tmp_path / "grey.png")
    Image.new("RGB", (4, 4), (9, 9, 10)).save(tmp_path / "blue.png")
    assert read(tmp_path / "grey.png", 1).shape == (4, 4, 1)
    with pytest.raises(PictureFileError, match=r"blue\.png is in colour"):
        read(tmp_path / "blue.png", 1)


@pytest.mark.parametrize("name", ["short.png", "short.bmp", "short.jpg"])
def test_a_file_that_is_cut_short_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(PictureFileError, match=name):
        read(path)
