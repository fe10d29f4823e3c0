from __future__ import annotations

import numpy as np
import pytest

from imaging.quality import psnr

pytest.importorskip("scipy", reason="the extra `benchmarks` is not installed")

from benchmarks.dark_channel import airlight, dark_channel, darkest, guided

AIR = np.array((0.8, 0.85, 0.9))


def scene() -> np.ndarray:
    """Bright colours with something dark near every pixel, (160, 160, 3) in 0..1."""
    picture = np.random.default_rng(0).uniform(0.2, 1.0, (20, 20, 3)).repeat(8, axis=0).repeat(8, axis=1)
    picture[::5, ::5] = 0
    return picture


def hazy() -> np.ndarray:
    """The scene through half of its light; the rows on top are so far off that only the air is seen."""
    transmission = np.full((160, 160, 1), 0.5)
    transmission[:20] = 0
    return scene() * transmission + AIR * (1 - transmission)


def test_the_dark_channel_is_the_least_value_around_each_pixel() -> None:
    picture = np.ones((40, 40, 3))
    picture[20, 20, 1] = 0.25
    dark = darkest(picture)
    assert (dark[13:28, 13:28] == 0.25).all()
    assert (dark == 0.25).sum() == 15 * 15


def test_the_colour_of_the_air_is_found_where_only_air_is_seen() -> None:
    assert airlight(hazy()[::-1]) == pytest.approx(AIR, abs=1e-9)


def test_haze_of_even_thickness_is_taken_away() -> None:
    answer = dark_channel(1.0)(hazy().astype(np.float32))
    seen = np.s_[70:]  # the filter's radius below where the haze changes
    assert psnr(answer[seen].clip(0, 1), scene()[seen]) > psnr(hazy()[seen], scene()[seen]) + 10


def test_without_a_share_to_take_away_the_picture_stays() -> None:
    picture = hazy().astype(np.float32)
    assert dark_channel(0.0)(picture) == pytest.approx(picture, abs=1e-6)


def test_a_black_picture_stays_black() -> None:
    assert not dark_channel(0.95)(np.zeros((40, 40, 3), np.float32)).any()


def test_what_is_guided_takes_the_edges_of_its_guide() -> None:
    guide = np.zeros((200, 200))
    guide[:, 100:] = 1
    coarse = np.zeros((200, 200))
    coarse[:, 93:] = 1  # seven pixels off, as a patch of fifteen makes it
    fine = guided(guide, coarse)
    steps = np.abs(np.diff(fine[100]))
    assert steps.argmax() == 99
    assert steps.max() > 0.5
