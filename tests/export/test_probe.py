from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export import probe
from export.figures import Expected


def answered(side: int, scale: int = 1) -> Expected:
    """What a network that inverts, and enlarges, answers to the tile of this side."""
    tile = 1 - probe.tile(probe.picture(3), side)
    return Expected(tile.repeat(scale, -1).repeat(scale, -2), abreast=2)


@pytest.mark.parametrize("side", [48, 96, 255, 256, 1024])
def test_of_every_tile_one_half_is_a_picture_and_the_other_noise(side: int) -> None:
    tile = probe.tile(probe.picture(3), side)
    assert tile.shape == (1, 3, side, side)
    assert tile.dtype == np.float32
    half = side - side // 2
    drawn, noise = (np.abs(np.diff(one)).mean() for one in (tile[..., :half], tile[..., half:]))
    assert noise > 2 * drawn


def test_a_larger_tile_goes_on_without_a_jump() -> None:
    smaller, larger = (probe.tile(probe.picture(1), side)[0, 0] for side in (256, 512))
    assert np.array_equal(larger[:256, :128], smaller[:, :128])
    assert np.array_equal(larger[255], larger[256])
    assert np.array_equal(larger[:, 127], larger[:, 128])


def test_the_same_answers_are_within_whichever_the_tile_and_however_many_there_are(tmp_path: Path) -> None:
    wanted = {64: answered(64), 512: answered(512)}
    probe.save(tmp_path / "probe.npz", probe.picture(3), wanted)
    read = probe.load(tmp_path / "probe.npz")
    assert np.array_equal(read.picture, probe.picture(3))
    assert read.expected.keys() == {64, 512}
    for side, one in wanted.items():
        for answers in (one.answers, one.answers.repeat(3, axis=0)):
            assert read.compare(side, answers).max_abs == 0


def test_one_wrong_answer_of_several_counts(tmp_path: Path) -> None:
    wanted = answered(64)
    probe.save(tmp_path / "probe.npz", probe.picture(3), {64: wanted})
    answers = wanted.answers.repeat(3, axis=0)
    answers[2] += 0.01
    assert probe.load(tmp_path / "probe.npz").compare(64, answers).max_abs == pytest.approx(0.01, rel=1e-3)


def test_values_that_near_ties_decide_stay_told_apart(tmp_path: Path) -> None:
    wanted = answered(64)
    decided = np.ones(wanted.answers.shape, bool)
    decided[..., :32, :] = False
    probe.save(tmp_path / "probe.npz", probe.picture(3), {64: Expected(wanted.answers, decided, abreast=2)})
    found = wanted.answers.copy()
    found[..., :32, :] += 0.01
    figures = probe.load(tmp_path / "probe.npz").compare(64, found)
    assert figures.max_abs == 0
    assert figures.undecided == pytest.approx(0.5, abs=0.02)
    assert figures.psnr_db < 60


@pytest.mark.parametrize(("side", "scale"), [(256, 1), (512, 1), (1024, 1), (192, 3), (192, 4), (384, 4)])
def test_every_place_in_what_a_network_enlarges_or_folds_is_looked_at(side: int, scale: int, tmp_path: Path) -> None:
    wanted = answered(side, scale)
    probe.save(tmp_path / "probe.npz", probe.picture(3), {side: wanted})
    read = probe.load(tmp_path / "probe.npz")
    for period in (2, 3, 4, 8, 16):
        for place in range(period):
            found = wanted.answers.copy()
            found[..., place::period] += 0.01
            assert read.compare(side, found).max_abs > 0.005


def test_the_probe_of_three_tiles_is_small(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    wanted = {side: Expected(random.random((1, 3, side, side), np.float32)) for side in (256, 512, 1024)}
    probe.save(tmp_path / "probe.npz", probe.picture(3), wanted)
    assert (tmp_path / "probe.npz").stat().st_size < 500_000
