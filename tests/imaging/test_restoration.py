from __future__ import annotations

import itertools

import numpy as np
import pytest

from imaging.errors import Cancelled, InvalidResult, OutOfMemory
from imaging.mosaic import begun_earlier
from imaging.restoration import read, restore
from imaging.tiling import plan

RANDOM = np.random.default_rng(7)


def identity(tiles):
    return tiles


def blur(tiles, radius=3):
    """A network of contamination distance `radius`: a box mean with zeros beyond the border, as convolutions have."""
    side = 2 * radius + 1
    padded = np.pad(tiles.astype(np.float64), ((0, 0), (0, 0), (radius, radius), (radius, radius)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))
    return windows.mean(axis=(-1, -2)).astype(np.float32)


def enlarge(scale):
    return lambda tiles: tiles.repeat(scale, axis=2).repeat(scale, axis=3)


def picture(height, width, channels=3):
    return RANDOM.random((height, width, channels), dtype=np.float32)


@pytest.mark.parametrize(("tile", "halo", "lattice"), [(0, 0, 8), (16, 4, 8), (16, 0, 16), (24, 7, 8), (13, 6, 1)])
def test_identity_gives_the_picture_back_to_the_last_bit(tile, halo, lattice):
    for height, width, channels in itertools.product([1, 2, 5, 16, 17, 45], [1, 3, 16, 31, 64], [1, 3]):
        image = picture(height, width, channels)
        cut = plan(height, width, tile=tile, halo=halo, lattice=lattice)
        assert np.array_equal(restore(image, identity, cut, batch=3), image)


def test_tiled_equals_untiled_where_the_halo_covers_the_contamination():
    for height, width in [(50, 41), (9, 70), (64, 64), (130, 33)]:
        image = picture(height, width)
        whole = restore(image, blur, plan(height, width, tile=0, halo=0, lattice=8))
        tiled = restore(image, blur, plan(height, width, tile=32, halo=6, lattice=8))
        assert np.abs(tiled - whole).max() < 1e-6


def test_a_picture_smaller_than_the_tile_keeps_its_own_borders():
    image = picture(20, 23)
    whole = restore(image, blur, plan(20, 23, tile=0, halo=0, lattice=8))
    for fixed in (True, False):
        tiled = restore(image, blur, plan(20, 23, tile=64, halo=6, lattice=8, fixed=fixed))
        assert np.abs(tiled - whole).max() < 1e-6


def test_a_halo_that_is_too_short_shows():
    image = picture(64, 64)
    whole = restore(image, blur, plan(64, 64, tile=0, halo=0, lattice=8))
    tiled = restore(image, blur, plan(64, 64, tile=32, halo=0, lattice=8))
    assert np.abs(tiled - whole).max() > 0.1


def test_the_running_mean_is_the_weighted_sum_of_all_tiles():
    cut = plan(60, 75, tile=32, halo=12, lattice=8)
    answers = {position: RANDOM.random((2, 32, 32), dtype=np.float32) for position in cut}
    in_order = iter(answers.values())
    restored = restore(picture(60, 75), lambda tiles: next(in_order)[None], cut)
    expected = np.zeros((60, 75, 2))
    for (row, column), answer in answers.items():
        (top, bottom), (left, right) = cut.rows.reach(row), cut.columns.reach(column)
        y, x = cut.rows.origins[row], cut.columns.origins[column]
        core = answer[:, top - y : bottom - y, left - x : right - x].transpose(1, 2, 0)
        expected[top:bottom, left:right] += core * cut.weight(row, column)[..., None].astype(np.float64)
    assert np.abs(restored - expected).max() < 1e-6


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_enlarging_network_gives_scale_times_the_size(scale):
    image = picture(37, 22)
    restored = restore(image, enlarge(scale), plan(37, 22, tile=16, halo=4, lattice=8, scale=scale), batch=4)
    assert np.array_equal(restored, image.repeat(scale, axis=0).repeat(scale, axis=1))


def test_a_grey_picture_goes_through_a_colour_network_and_stays_grey():
    image = picture(20, 20, 1)
    seen = []

    def tint(tiles):
        seen.append(tiles.copy())
        return tiles * np.array([0.5, 1, 1.5], np.float32).reshape(1, 3, 1, 1)

    restored = restore(image, tint, plan(20, 20, tile=16, halo=4, lattice=8), in_channels=3)
    assert all(tiles.shape[1] == 3 and np.ptp(tiles, axis=1).max() == 0 for tiles in seen)
    assert restored.shape == (20, 20, 1)
    assert np.abs(restored - image).max() < 1e-6


def test_a_mosaic_comes_back_in_colour():
    restored = restore(picture(20, 20, 1), lambda t: t.repeat(3, axis=1), plan(20, 20, tile=16, halo=4, lattice=8))
    assert restored.shape == (20, 20, 3)


@pytest.mark.parametrize("error", [MemoryError, OutOfMemory])
def test_when_memory_runs_out_the_batch_is_halved_and_the_bytes_are_the_same(error):
    image, cut = picture(90, 90), plan(90, 90, tile=32, halo=6, lattice=8)
    sizes = []

    def small(tiles):
        sizes.append(len(tiles))
        if len(tiles) > 2:
            raise error("full")
        return blur(tiles)

    assert np.array_equal(restore(image, small, cut, batch=16), restore(image, blur, cut))
    assert sizes[:4] == [16, 8, 4, 2]
    assert max(sizes[4:]) == 2


def test_when_not_even_one_tile_fits_that_is_said():
    def full(tiles):
        raise MemoryError

    with pytest.raises(OutOfMemory, match="32 x 32 pixels does not fit"):
        restore(picture(90, 90), full, plan(90, 90, tile=32, halo=6, lattice=8), batch=8)


def test_progress_is_told_before_the_first_batch_and_after_each():
    told = []
    cut = plan(90, 90, tile=48, halo=8, lattice=8)
    restore(picture(90, 90), identity, cut, batch=4, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 9), (4, 9), (8, 9), (9, 9)]


def test_cancelling_stops_before_the_next_batch():
    calls = []

    def counting(tiles):
        calls.append(len(tiles))
        return tiles

    with pytest.raises(Cancelled, match="after 2 of 9 tiles"):
        restore(
            picture(90, 90),
            counting,
            plan(90, 90, tile=48, halo=8, lattice=8),
            batch=2,
            cancelled=lambda: len(calls) == 1,
        )
    assert calls == [2]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda tiles: tiles[:1], "answered"),
        (lambda tiles: tiles[..., 1:], "answered"),
        (lambda tiles: tiles * np.float32("nan"), "not finite"),
    ],
)
def test_a_runner_that_answers_nonsense_is_caught(answer, words):
    with pytest.raises(InvalidResult, match=words):
        restore(picture(40, 40), answer, plan(40, 40, tile=16, halo=4, lattice=8), batch=2)


def test_a_plan_for_another_size_or_a_network_of_other_channels_is_refused():
    with pytest.raises(ValueError, match="plan is for 41 x 40"):
        restore(picture(40, 40), identity, plan(40, 41, tile=16, halo=4, lattice=8))
    with pytest.raises(ValueError, match="takes 1 channels"):
        restore(picture(40, 40), identity, plan(40, 40, tile=16, halo=4, lattice=8), in_channels=1)


@pytest.mark.parametrize("batch", [0, -1])
def test_less_than_one_tile_at_once_is_refused(batch):
    with pytest.raises(ValueError, match=f"at least one tile at once, not {batch}"):
        restore(picture(40, 40), identity, plan(40, 40, tile=16, halo=4, lattice=8), batch=batch)


@pytest.mark.parametrize("begun", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("sides", [(1, 1), (1, 40), (7, 5), (33, 40)])
def test_tiles_of_a_mosaic_begun_earlier_are_read_from_the_mosaic_itself(begun, sides):
    image = picture(*sides, 1)
    earlier = begun_earlier(image, *begun)
    cut = plan(*earlier.shape[:2], tile=16, halo=4, lattice=2)
    tiles = read(image, cut, cut.positions, 1, begun=begun)
    assert np.array_equal(tiles, read(earlier, cut, cut.positions, 1))


def test_the_picture_is_only_read():
    image = picture(40, 40)
    image.flags.writeable = False
    restore(image, identity, plan(40, 40, tile=16, halo=4, lattice=8))
