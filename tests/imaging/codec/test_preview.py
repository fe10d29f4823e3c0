from __future__ import annotations

import numpy as np
import picture_samples as samples
import pytest
from PIL import Image

from imaging.codec import Limits
from imaging.codec.preview import preview
from imaging.errors import BadImage, ImageTooLarge, UnsupportedImage


@pytest.mark.parametrize("sample", [pytest.param(data, id=name) for name, data in samples.taken()])
def test_every_kind_that_is_taken_can_be_seen_small(opened, sample):
    seen = opened(preview(sample, 13))
    assert (seen.format, seen.size) == ("WEBP", (13, 9))
    assert np.asarray(seen.convert("RGB")).std() > 2


def test_a_small_picture_is_not_enlarged_and_looks_as_it_does(opened, saved):
    rows, columns = np.mgrid[0:60, 0:80]
    smooth = np.stack([columns * 3, rows * 4, rows + columns], axis=-1).astype(np.uint8)
    seen = np.asarray(opened(preview(saved(smooth, "TIFF"), 100)))
    assert seen.shape == smooth.shape
    assert np.abs(seen.astype(int) - smooth).mean() < 3


def test_it_is_upright_and_in_the_screens_colours(opened, saved):
    turned = Image.fromarray(samples.photo()).transpose(Image.Transpose.ROTATE_90)
    assert opened(preview(saved(turned, "JPEG", exif=samples.exif(6)), 100)).size == (52, 37)
    pure_green = np.zeros((20, 20, 3), np.uint8)
    pure_green[..., 1] = 200
    wide = opened(preview(saved(pure_green, "TIFF", icc_profile=samples.WIDE_GAMUT), 20))
    assert "icc_profile" not in wide.info
    red, green, _ = np.asarray(wide)[10, 10].astype(int)
    assert red < 10
    assert green > 202  # more than sRGB's for the same number


def test_one_page_is_shown_on_request(opened, saved):
    pages = [Image.new("RGB", (8, 8), (0, 0, 80 * n)) for n in range(3)]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(UnsupportedImage, match="3 pages"):
        preview(data, 8)
    assert abs(int(np.asarray(opened(preview(data, 8, frame=2)))[4, 4, 2]) - 160) < 6


def test_what_cannot_be_restored_cannot_be_seen_either(saved):
    with pytest.raises(ImageTooLarge):
        preview(saved(samples.photo(), "PNG"), 100, Limits(max_pixels=100))
    with pytest.raises(UnsupportedImage, match="CMYK"):
        preview(saved(Image.new("CMYK", (8, 8)), "TIFF"), 100)
    with pytest.raises(BadImage, match="cannot be read"):
        preview(saved(samples.photo(), "PNG")[:40], 100)
