from __future__ import annotations

import inspect
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.choice import CANDIDATES
from benchmarks.classical import METHODS, Array, Classical, blind_bm3d, bm3d
from imaging.quality import psnr

NOISE = np.random.default_rng(0).random((6, 5, 3), np.float32)
EVERY = [candidate for candidates in CANDIDATES.values() for candidate in candidates]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, ...], float, object]]:
    """What bm3d, which may not be there, was asked: by which name, with which shape, deviation and profile."""
    asked = []

    def answering(name: str) -> object:
        def answer(x: np.ndarray, deviation: float, profile: object) -> np.ndarray:
            asked.append((name, x.shape, deviation, profile))
            return x / 2

        return answer

    package = SimpleNamespace(bm3d=answering("grey"), bm3d_rgb=answering("colour"), BM3DProfileLC=lambda: "quick")
    monkeypatch.setitem(sys.modules, "bm3d", package)
    return asked


def method(name: str, **settings: Any) -> Classical:
    pytest.importorskip("skimage", reason="the extra `benchmarks` is not installed")
    return Classical(name, settings)


def photograph() -> Array:
    """Smooth in places, with edges; neither black nor white."""
    rows, columns = np.mgrid[:64, :80].astype(np.float32) / 80
    shape = (np.hypot(rows - 0.4, columns - 0.5) < 0.2).astype(np.float32)
    return np.stack((0.2 + 0.3 * rows + 0.4 * shape, 0.3 + 0.3 * columns, 0.6 - 0.3 * shape), axis=2)


def test_grey_pictures_go_through_the_grey_method(asked: list[object]) -> None:
    grey = np.repeat(NOISE[..., :1], 3, axis=2)
    assert np.array_equal(bm3d(51)(grey), grey / 2)
    assert asked == [("grey", (6, 5), 0.2, "np")]


def test_coloured_pictures_go_through_the_colour_method(asked: list[object]) -> None:
    assert np.array_equal(bm3d(51, "lc")(NOISE), NOISE / 2)
    assert asked == [("colour", (6, 5, 3), 0.2, "quick")]


def test_noise_is_estimated_and_told_by_the_factor(asked: list[Any]) -> None:
    method("blind BM3D")
    noisy = photograph() + np.float32(0.1) * np.random.default_rng(0).standard_normal((64, 80, 3), np.float32)
    blind_bm3d(1.5, "lc")(noisy)
    assert asked[0][2] == pytest.approx(0.15, rel=0.05)


def test_every_candidate_is_a_method_with_settings_that_it_takes() -> None:
    for candidate in EVERY:
        inspect.signature(METHODS[candidate.name]).bind(**candidate.settings)


@pytest.mark.parametrize("candidate", {each.name: each for each in EVERY}.values(), ids=lambda each: each.name)
def test_an_answer_is_a_picture_in_8_bits_and_the_same_every_time(candidate: Classical) -> None:
    method(candidate.name)
    if "BM3D" in candidate.name:
        pytest.importorskip("bm3d", reason="the extra `benchmarks` is not installed")
    noisy = photograph() + np.float32(0.05) * np.random.default_rng(0).standard_normal((64, 80, 3), np.float32)
    given = noisy.clip(0, 1)
    before = given.copy()
    answer = candidate(given)
    assert (answer.shape, answer.dtype) == (given.shape, np.float32)
    assert answer.min() >= 0
    assert answer.max() <= 1
    assert np.allclose(answer * 255, (answer * 255).round(), atol=1e-4)
    assert not np.array_equal(answer, (given * 255).round() / np.float32(255))
    assert np.array_equal(candidate(given), answer)
    # What the degradations hand over lies in memory channel by channel.
    planes = np.ascontiguousarray(given.transpose(2, 0, 1)).transpose(1, 2, 0)
    assert np.array_equal(candidate(planes), answer)
    assert np.array_equal(given, before)


def test_opening_takes_streaks_narrower_than_its_line_and_leaves_wider_ones() -> None:
    scene = np.full((20, 30, 3), 51 / 255, np.float32)
    narrow, wide = scene.copy(), scene.copy()
    narrow[:, 10:12], wide[:, 10:14] = 1, 1
    assert np.array_equal(method("opening", width=3)(narrow), scene)
    assert np.array_equal(method("opening", width=3)(wide), wide)


def test_total_variation_smooths_noise() -> None:
    clean = photograph()
    noisy = clean + np.float32(0.02) * np.random.default_rng(0).standard_normal(clean.shape, np.float32)
    assert psnr(method("total variation", weight=0.04)(noisy), clean) > psnr(noisy, clean) + 3


@pytest.mark.parametrize(
    "candidate",
    [("unsharp mask", {"radius": 1.0, "amount": 0.6}), ("Richardson-Lucy", {"sigma": 1.0, "iterations": 5})],
)
def test_sharpening_makes_a_blurred_picture_nearer_to_the_sharp_one(candidate: tuple[str, dict[str, Any]]) -> None:
    sharpen = method(candidate[0], **candidate[1])
    from scipy.ndimage import gaussian_filter

    sharp = photograph()
    blurred = gaussian_filter(sharp, (1, 1, 0))
    assert psnr(sharpen(blurred), sharp) > psnr(blurred, sharp) + 0.5


def test_richardson_lucy_leaves_the_edges_of_the_picture_alone() -> None:
    flat = np.full((64, 80, 3), 51 / 255, np.float32)
    assert np.array_equal(method("Richardson-Lucy", sigma=1.0, iterations=5)(flat), flat)


def test_contrast_is_stretched_from_black_to_white_by_all_channels_together() -> None:
    veiled = 0.4 + 0.4 * photograph()
    answer = method("contrast stretch")(veiled)
    expected = (veiled - veiled.min()) / (veiled.max() - veiled.min())
    assert np.abs(answer - expected).max() <= 0.5 / 255 + 1e-6


def test_adaptive_equalisation_raises_contrast() -> None:
    veiled = 0.4 + 0.2 * photograph()
    assert method("CLAHE", clip=0.01)(veiled).std() > 1.2 * veiled.std()
