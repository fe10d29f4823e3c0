from __future__ import annotations

import numpy as np
import pytest

from service.observation import observed


def test_a_call_is_told_of_with_its_tiles_and_its_time() -> None:
    told: list[tuple[int, float | None]] = []
    run = observed(lambda a, b: a + b, lambda tiles, seconds: told.append((tiles, seconds)))
    ones = np.ones((3, 2, 2, 1), dtype=np.float32)
    assert (run(ones, ones) == 2).all()
    ((tiles, seconds),) = told
    assert tiles == 3
    assert seconds is not None
    assert seconds >= 0


def test_what_does_not_fit_is_told_of_without_a_time_and_raised() -> None:
    def full(_: np.ndarray) -> np.ndarray:
        raise MemoryError

    told: list[tuple[int, float | None]] = []
    with pytest.raises(MemoryError):
        observed(full, lambda tiles, seconds: told.append((tiles, seconds)))(np.ones((2, 1, 1, 1), dtype=np.float32))
    assert told == [(2, None)]
