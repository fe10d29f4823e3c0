from __future__ import annotations

import itertools

import numpy as np
import pytest

from imaging.errors import PlanError
from imaging.tiling import plan

SIZES = [1, 2, 3, 7, 8, 9, 31, 32, 33, 63, 64, 65, 97, 127, 131, 200, 257]
GEOMETRIES = [(32, 8, 8), (32, 0, 8), (48, 11, 16), (64, 24, 8), (56, 20, 8), (40, 5, 1), (64, 0, 64)]


def every_axis():
    for size, (tile, halo, lattice), fixed in itertools.product(SIZES, GEOMETRIES, (True, False)):
        yield plan(size, 40, tile=tile, halo=halo, lattice=lattice, fixed=fixed).rows, halo, lattice


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize(("tile", "halo", "lattice"), GEOMETRIES)
def test_the_weights_of_all_tiles_sum_to_exactly_one_over_every_pixel(tile, halo, lattice, scale):
    for height, width in itertools.product([1, 2, 9, 33, 65, 131], [1, 7, 64, 97]):
        cut = plan(height, width, tile=tile, halo=halo, lattice=lattice, scale=scale)
        total = np.zeros((height * scale, width * scale), np.float32)
        for row, column in cut:
            (top, bottom), (left, right) = cut.rows.reach(row), cut.columns.reach(column)
            total[top * scale : bottom * scale, left * scale : right * scale] += cut.weight(row, column)
        assert np.all(total == 1)


def test_every_tile_starts_on_the_lattice_and_the_last_ends_where_the_padded_picture_ends():
    for axis, _, lattice in every_axis():
        assert all(origin % lattice == 0 for origin in axis.origins)
        assert axis.origins[0] == 0
        assert axis.extent % lattice == 0
        assert 0 <= axis.extent - axis.size < lattice
        if len(axis.origins) > 1:
            assert axis.origins[-1] + axis.tile == axis.extent


def test_a_pixel_is_taken_only_from_tiles_that_saw_half_a_halo_around_it_and_a_core_pixel_a_whole_one():
    for axis, halo, _ in every_axis():
        if axis.extent < axis.tile:
            continue
        for index, origin in enumerate(axis.origins):
            start, stop = axis.reach(index)
            first, last = index == 0, index == len(axis.origins) - 1
            assert first or start - origin >= halo / 2
            assert last or origin + axis.tile - stop >= halo / 2
            assert first or axis.cuts[index - 1] - origin >= halo
            assert last or origin + axis.tile - axis.cuts[index] >= halo


def test_at_most_two_tiles_along_a_side_share_a_pixel():
    for axis, _, _ in every_axis():
        shares = np.zeros(axis.size, int)
        for index in range(len(axis.origins)):
            start, stop = axis.reach(index)
            assert 0 <= start < stop <= axis.size
            shares[start:stop] += 1
        assert shares.min() == 1
        assert shares.max() <= 2


def test_tiles_read_the_picture_continued_by_the_reflection_of_numpy():
    for axis, _, _ in every_axis():
        before, after = -min(axis.origins), max(axis.origins) + axis.tile - axis.size
        padded = np.pad(np.arange(axis.size), (before, after), mode="reflect")
        for index, origin in enumerate(axis.origins):
            assert np.array_equal(axis.source(index), padded[before + origin :][: axis.tile])


def test_a_picture_smaller_than_the_tile_has_both_its_borders_at_a_rim_of_a_tile():
    cut = plan(20, 64, tile=64, halo=16, lattice=8)
    assert cut.rows.origins == (0, 24 - 64)
    assert cut.rows.cuts == (12,)
    assert cut.tile_shape == (64, 64)
    shrunk = plan(20, 64, tile=64, halo=16, lattice=8, fixed=False)
    assert shrunk.tile_shape == (24, 64)
    assert len(shrunk) == 1


@pytest.mark.parametrize("size", range(1, 65))
def test_a_pixel_of_a_picture_smaller_than_the_tile_lies_half_the_padded_picture_from_where_its_tile_goes_on(size):
    axis = plan(size, 64, tile=128, halo=16, lattice=64).rows
    assert axis.extent == 64
    assert len(axis.origins) == (1 if size <= 32 else 2)
    _, stop = axis.reach(0)
    assert axis.extent - stop >= 32 - axis.ramp
    if size > 32:
        start, _ = axis.reach(1)
        assert start >= 32 - axis.ramp


def test_tile_zero_is_the_whole_picture_padded_once():
    cut = plan(37, 50, tile=0, halo=99, lattice=8)
    assert cut.tile_shape == (40, 56)
    assert len(cut) == 1
    assert cut.row_cuts == cut.column_cuts == ()


def test_redundant_work_and_cuts_are_told():
    cut = plan(96, 96, tile=64, halo=16, lattice=32, scale=2)
    assert len(cut) == 4
    assert cut.work == pytest.approx(4 * 64 * 64 / 96**2)
    assert cut.row_cuts == (96,)
    assert len(plan(1000, 1000, tile=200, halo=0, lattice=8)) == 25


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"tile": 100, "lattice": 32}, "tile 100 .* lattice 32.* 128"),
        ({"tile": 16, "lattice": 32}, "tile 16 is no multiple .* lattice 32; .* 32"),
        ({"tile": 64, "halo": 24, "lattice": 32, "width": 65}, "tile 64 .*halos of 24.* at least 96"),
        ({"tile": -8}, "negative"),
        ({"tile": 64, "halo": -1}, "negative"),
        ({"tile": 64, "lattice": 0}, "lattice must be at least 1, not 0"),
        ({"tile": 64, "scale": 0}, "scale"),
        ({"tile": 64, "height": 0}, "height"),
    ],
)
def test_numbers_that_do_not_go_together_are_refused_by_name(arguments, words):
    with pytest.raises(PlanError, match=words):
        plan(**({"height": 50, "width": 50, "halo": 8, "lattice": 8} | arguments))
