from __future__ import annotations

import numpy as np
import pytest

from imaging.directories import Tag
from imaging.geography import KEYS, PIXEL_SCALE, RPC, TIE_POINTS, TRANSFORMATION, enlarged

AREA, POINT = 1, 2


def tag(number, *values):
    return Tag(number, 12, np.array(values, "<f8").tobytes())


def raster_type(value):
    return Tag(KEYS, 3, np.array([1, 1, 0, 2, 1024, 0, 1, 1, 1025, 0, 1, value], "<u2").tobytes())


def values(tags, number):
    return next(np.frombuffer(tag.value, "<f8") for tag in tags if tag.number == number)


def ground(tags, row, column):
    """Where a raster coordinate lies."""
    if any(tag.number == TRANSFORMATION for tag in tags):
        return (values(tags, TRANSFORMATION).reshape(4, 4) @ (column, row, 0, 1))[:2]
    tie, size = values(tags, TIE_POINTS), values(tags, PIXEL_SCALE)
    return np.array([tie[3] + (column - tie[0]) * size[0], tie[4] - (row - tie[1]) * size[1]])


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", [AREA, POINT])
@pytest.mark.parametrize(
    "model",
    [
        (tag(PIXEL_SCALE, 10, 5, 0), tag(TIE_POINTS, 3, 4, 0, 500_000, 4_000_000, 0)),
        (tag(TRANSFORMATION, 10, 2, 0, 500_000, 3, -5, 0, 4_000_000, 0, 0, 0, 0, 0, 0, 0, 1),),
    ],
)
def test_an_enlarged_picture_lies_where_it_lay_whether_a_pixel_is_an_area_or_a_point(scale, kind, model):
    before = (*model, raster_type(kind))
    after = enlarged(before, scale)
    edge = -0.5 if kind == POINT else 0.0  # the raster coordinate of the first pixel's corner
    for row, column in ((0, 0), (7, 0), (0, 11), (7, 11)):
        old = ground(before, row + edge, column + edge)
        assert ground(after, row * scale + edge, column * scale + edge) == pytest.approx(old, abs=1e-6)
    assert after[-1] == before[-1]


def test_rational_polynomials_grow_around_the_first_pixels_centre():
    (grown,) = enlarged((tag(RPC, *range(1, 93)),), 4)
    old, new = np.arange(1.0, 93), np.frombuffer(grown.value, "<f8")
    assert new[[2, 3]].tolist() == [4 * 3 + 1.5, 4 * 4 + 1.5]  # line and sample offset
    assert new[[7, 8]].tolist() == [4 * 8, 4 * 9]  # line and sample scale
    rest = np.setdiff1d(np.arange(92), [2, 3, 7, 8])
    assert np.array_equal(new[rest], old[rest])


@pytest.mark.parametrize(("number", "kind", "size"), [(TIE_POINTS, 11, 4), (TRANSFORMATION, 12, 24), (RPC, 12, 0)])
def test_tags_that_are_damaged_stay_as_they_are(number, kind, size):
    damaged = Tag(number, kind, bytes(size))
    assert enlarged((damaged,), 2) == (damaged,)
