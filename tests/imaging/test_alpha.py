from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from imaging.alpha import enlarge, fill_transparent
from imaging.codec import decode, encode
from imaging.picture import Picture
from imaging.restoration import restore
from imaging.tiling import plan


def cut_out(height=41, width=56):
    """A white disc on transparent black, as a photo editor leaves it."""
    y, x = np.mgrid[0:height, 0:width]
    alpha = np.clip(12 - np.hypot(y - 20, x - 30), 0, 1).astype(np.float32)
    pixels = np.where(alpha[..., None] > 0, np.float32([1, 0.9, 0.8]), np.float32(0))
    return pixels.astype(np.float32), alpha


def test_holes_take_the_colour_of_what_is_visible_nearby_and_the_rest_stays():
    pixels, alpha = cut_out()
    filled = fill_transparent(pixels, alpha)
    assert filled.dtype == np.float32
    assert np.array_equal(filled[alpha > 0], pixels[alpha > 0])
    assert np.allclose(filled, [1, 0.9, 0.8], atol=1e-5)


def test_each_side_takes_its_own_colour():
    pixels, alpha = np.zeros((16, 64, 3), np.float32), np.zeros((16, 64), np.float32)
    pixels[:, :8, 0], pixels[:, -8:, 2] = 1, 1
    alpha[:, :8] = alpha[:, -8:] = 1
    filled = fill_transparent(pixels, alpha)
    assert np.array_equal(filled[5, 8], [1, 0, 0])
    assert np.array_equal(filled[5, -9], [0, 0, 1])


def test_filling_takes_little_more_memory_than_the_picture():
    side = 1024
    pixels, alpha = np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.float32)
    alpha[5, 5] = 1
    tracemalloc.start()
    try:
        fill_transparent(pixels, alpha)
        assert tracemalloc.get_traced_memory()[1] <= 20 * side * side
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (63, 5), (64, 6), (65, 7), (130, 129), (193, 3)])
def test_a_pixel_far_from_all_others_gives_its_colour_to_the_whole_picture(size):
    pixels, alpha = np.zeros((*size, 3), np.float32), np.zeros(size, np.float32)
    pixels[-1, -1], alpha[-1, -1] = (0.5, 0.25, 1), 0.125
    assert np.array_equal(fill_transparent(pixels, alpha), np.broadcast_to(pixels[-1, -1], pixels.shape))


@pytest.mark.parametrize("alpha", [0, 1])
def test_with_nothing_or_everything_visible_nothing_changes(alpha):
    pixels = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    assert np.array_equal(fill_transparent(pixels, np.full((5, 7), alpha, np.float32)), pixels)


def test_a_network_that_blurs_leaves_no_dark_fringe_on_a_cut_out():
    def blur(tiles):
        padded = np.pad(tiles, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
        return np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(2, 3)).mean(axis=(-1, -2))

    picture = Picture(*cut_out())
    cut = plan(41, 56, tile=0, halo=0)
    seen = picture.alpha > 0
    assert restore(picture.pixels, blur, cut)[seen].min() < 0.5
    assert restore(picture.visible, blur, cut)[seen].min() > 0.79


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_alpha_grows_with_the_picture(scale):
    pixels, alpha = cut_out()
    grown = Picture(pixels, alpha).restored(pixels.repeat(scale, axis=0).repeat(scale, axis=1))
    assert grown.alpha.shape == grown.pixels.shape[:2] == (41 * scale, 56 * scale)
    assert grown.alpha.min() == 0
    assert grown.alpha.max() == 1
    assert grown.alpha.mean() == pytest.approx(alpha.mean(), rel=0.01)
    again = decode(encode(grown))
    assert np.abs(again.alpha - grown.alpha).max() <= 0.5 / 255 + 1e-6


def test_constant_alpha_stays_constant():
    assert np.array_equal(enlarge(np.full((3, 1), 0.25, np.float32), 3), np.full((9, 3), 0.25, np.float32))


def test_a_result_of_no_whole_multiple_is_refused():
    pixels, alpha = cut_out()
    with pytest.raises(ValueError, match="50 x 41 is no whole multiple of 56 x 41"):
        Picture(pixels, alpha).restored(pixels[:, :50])
