from __future__ import annotations

import numpy as np
import pytest

from imaging.mosaic import PATTERNS, begun_earlier, offset

COLOURS = "rgb"


def filters(pattern, height, width):
    """Which colour lies over each pixel: (H, W), 0 red, 1 green, 2 blue."""
    block = np.array([COLOURS.index(letter) for letter in pattern]).reshape(2, 2)
    return np.tile(block, (height // 2 + 1, width // 2 + 1))[:height, :width]


@pytest.mark.parametrize("native", PATTERNS)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("sides", [(6, 8), (5, 7), (1, 1)])
def test_begun_earlier_every_mosaic_is_one_of_the_networks_own_pattern(pattern, native, sides):
    colours = filters(pattern, *sides)[..., None].astype(np.float32)
    rows, columns = offset(pattern, native)
    earlier = begun_earlier(colours, rows, columns)
    assert np.array_equal(earlier[rows:, columns:], colours)
    if min(sides) > 1:  # a single pixel has no neighbour to reflect
        assert np.array_equal(earlier[..., 0], filters(native, *earlier.shape[:2]))


def test_without_a_pattern_nothing_is_shifted():
    picture = np.ones((3, 4, 1), np.float32)
    assert offset(None, "rggb") == offset("bggr", None) == (0, 0)
    assert begun_earlier(picture, 0, 0) is picture
