from __future__ import annotations

import argparse

import pytest

from training.arguments import at_least, positive


def test_numbers_that_are_taken() -> None:
    assert (at_least(0)("0"), at_least(1)("12"), positive("0.5")) == (0, 12, 0.5)


@pytest.mark.parametrize("text", ["-1", "0", "1.5", "x", ""])
def test_a_number_below_the_least_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="whole number from 1 on"):
        at_least(1)(text)


@pytest.mark.parametrize("text", ["-1", "0", "nan", "inf", "x"])
def test_a_number_that_is_not_above_0_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="above 0"):
        positive(text)
