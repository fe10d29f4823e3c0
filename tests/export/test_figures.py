from __future__ import annotations

import numpy as np
import pytest

from export.figures import Expected, Figures, compare, difference


def test_a_runner_that_is_wrong_for_one_tile_alone_is_found_out() -> None:
    inputs = np.random.default_rng(0).random((2, 1, 8, 8), dtype=np.float32)
    figures = compare(Expected(inputs), lambda tiles: tiles if len(tiles) > 1 else tiles + 1e-3, inputs)
    assert figures.max_abs == pytest.approx(1e-3, rel=1e-3)


def test_each_picture_is_judged_alone_whether_in_a_batch_or_abreast() -> None:
    zero = np.zeros((2, 1, 4, 4), np.float32)
    batch = zero.copy()
    batch[1] = 0.01
    assert difference(Expected(zero), batch).psnr_db == pytest.approx(40, abs=1e-3)
    abreast = np.concatenate((batch[:1], batch[1:]), -1)
    wanted = Expected(np.zeros_like(abreast), abreast=2)
    assert difference(wanted, abreast).psnr_db == pytest.approx(40, abs=1e-3)
    assert difference(wanted[:1], abreast).psnr_db == pytest.approx(40, abs=1e-3)


def test_figures_of_a_known_difference() -> None:
    zero = np.zeros((1, 1, 4, 4), np.float32)
    figures = difference(Expected(zero), zero + 0.01)
    assert figures.max_abs == pytest.approx(0.01)
    assert figures.psnr_db == pytest.approx(40, abs=1e-3)
    assert difference(Expected(zero), zero) == Figures(0.0, 200.0)


@pytest.mark.parametrize("broken", [np.full((1, 1, 4, 4), np.nan, np.float32), np.zeros((1, 1, 4, 5), np.float32)])
def test_nan_and_wrong_shapes_are_never_within(broken: np.ndarray) -> None:
    figures = difference(Expected(np.zeros((1, 1, 4, 4), np.float32)), broken)
    assert not figures.within("fp32")
    assert not figures.within("fp16")


def test_the_bounds() -> None:
    assert Figures(1e-4, 90).within("fp32")
    assert not Figures(1.1e-4, 90).within("fp32")
    assert not Figures(0.0, 59, 0.01).within("fp32")
    assert Figures(1e-2, 60).within("fp16")
    assert not Figures(1e-6, 59.9).within("bf16")
