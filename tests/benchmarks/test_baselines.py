from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.baselines import bm3d

NOISE = np.random.default_rng(0).random((6, 5, 3), np.float32)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[int, ...], float]]:
    """What the package, which the tests do without, was asked: by which name, with which shape and deviation."""
    asked = []

    def answering(name: str) -> object:
        def answer(x: np.ndarray, deviation: float) -> np.ndarray:
            asked.append((name, x.shape, deviation))
            return x / 2

        return answer

    monkeypatch.setitem(sys.modules, "bm3d", SimpleNamespace(bm3d=answering("grey"), bm3d_rgb=answering("colour")))
    return asked


def test_grey_pictures_go_through_the_grey_method(asked: list[tuple[str, tuple[int, ...], float]]) -> None:
    grey = np.repeat(NOISE[..., :1], 3, axis=2)
    assert np.array_equal(bm3d(51)(grey), grey / 2)
    assert asked == [("grey", (6, 5), 0.2)]


def test_coloured_pictures_go_through_the_colour_method(asked: list[tuple[str, tuple[int, ...], float]]) -> None:
    assert np.array_equal(bm3d(51)(NOISE), NOISE / 2)
    assert asked == [("colour", (6, 5, 3), 0.2)]
