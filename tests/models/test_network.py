from __future__ import annotations

import numpy as np
import pytest
import torch

from models.network import pad_to_multiple


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 7), (3, 20), (16, 9), (5, 16)])
def test_padding_is_numpys_reflection_on_the_right_and_at_the_bottom(height: int, width: int) -> None:
    x = torch.rand(2, 3, height, width)
    padded = pad_to_multiple(x, 16)
    missing = [(0, 0), (0, 0), (0, -height % 16), (0, -width % 16)]
    assert np.array_equal(padded.numpy(), np.pad(x.numpy(), missing, mode="reflect"))


def test_what_is_shorter_than_the_least_is_continued_to_it() -> None:
    x = torch.rand(1, 3, 5, 40)
    padded = pad_to_multiple(x, 16, 32)
    assert np.array_equal(padded.numpy(), np.pad(x.numpy(), [(0, 0), (0, 0), (0, 27), (0, 8)], mode="reflect"))


def test_a_picture_on_the_lattice_is_not_copied() -> None:
    x = torch.rand(1, 3, 32, 16)
    assert pad_to_multiple(x, 16) is x
