from __future__ import annotations

import numpy as np

from imaging.picture import Picture

GREY = np.random.default_rng(1).random((5, 7, 1), dtype=np.float32)


def test_three_equal_channels_are_restored_as_one_and_come_back_as_three() -> None:
    picture = Picture(np.repeat(GREY, 3, axis=2))
    assert picture.visible.shape == (5, 7, 1)
    np.testing.assert_array_equal(picture.restored(1 - GREY).pixels, np.repeat(1 - GREY, 3, axis=2))


def test_one_coloured_pixel_makes_a_colour_picture() -> None:
    pixels = np.repeat(GREY, 3, axis=2)
    pixels[4, 6, 2] += 0.01
    picture = Picture(pixels)
    np.testing.assert_array_equal(picture.visible, pixels)
    np.testing.assert_array_equal(picture.restored(1 - pixels).pixels, 1 - pixels)


def test_a_grey_picture_stays_grey_and_a_mosaic_becomes_a_colour_picture() -> None:
    assert Picture(GREY).restored(GREY).pixels.shape == (5, 7, 1)
    assert Picture(GREY).restored(np.repeat(GREY, 3, axis=2)).pixels.shape == (5, 7, 3)
