from __future__ import annotations

from io import FileIO

import numpy as np
import pytest

from imaging.errors import Cancelled, InvalidResult, OutOfMemory
from imaging.staged import restore, stream
from imaging.stages import Stage, layout
from imaging.strip import Budget, Strip

RANDOM = np.random.default_rng(3)

# A small network by hand: halve, blur, cells, double again beside a skip.
STAGES = (
    Stage("half", ("picture",), lattice=2, halo=0, down=2),
    Stage("blurred", ("half",), lattice=2, halo=2, down=2),
    Stage("cells", ("blurred",), lattice=16, halo=0, down=2),
    Stage("joined", ("cells", "picture"), lattice=2, halo=1, down=1),
)


def half(maps):
    return (maps[:, ::2, ::2] + maps[:, 1::2, ::2] + maps[:, ::2, 1::2] + maps[:, 1::2, 1::2]) / 4


def blurred(maps):
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return windows.mean(axis=(-1, -2), dtype=np.float64).astype(maps.dtype)


def cells(maps):
    n, h, w, c = maps.shape
    mean = maps.reshape(n, h // 8, 8, w // 8, 8, c).mean(axis=(2, 4), keepdims=True, dtype=np.float64)
    return maps - np.broadcast_to(mean, (n, h // 8, 8, w // 8, 8, c)).reshape(maps.shape).astype(maps.dtype)


def joined(low, picture):
    return blurred(low.repeat(2, axis=1).repeat(2, axis=2)) + picture


RUNS = {"half": half, "blurred": blurred, "cells": cells, "joined": joined}


def untiled(image):
    height, width, _ = image.shape
    padded = np.pad(image, ((0, -height % 16), (0, -width % 16), (0, 0)), mode="reflect")[None]
    return joined(cells(blurred(half(padded))), padded)[0, :height, :width]


def picture(height, width, channels=3):
    return RANDOM.random((height, width, channels), dtype=np.float32)


def cut(height, width, tile=32):
    return layout(height, width, STAGES, tile=tile, lattice=16)


@pytest.mark.parametrize("size", [(33, 16), (100, 75), (64, 64), (31, 47), (97, 200), (3, 3), (9, 100)])
@pytest.mark.parametrize("tile", [32, 48, 0])
def test_tiles_give_the_untiled_picture_to_the_last_bit(size, tile):
    image = picture(*size)
    assert np.array_equal(restore(image, RUNS, cut(*size, tile), batch=3), untiled(image))


def test_a_halo_too_short_by_one_pixel_shows():
    image = picture(100, 75)
    short = [Stage("blurred", ("half",), lattice=2, halo=0, down=2) if s.name == "blurred" else s for s in STAGES]
    plan = layout(100, 75, short, tile=32, lattice=16)
    assert not np.array_equal(restore(image, RUNS, plan), untiled(image))


def test_rows_come_out_from_the_top_while_rows_go_in_and_few_are_held():
    height = 1600
    image, events, held, budget = picture(height, 40), [], [], Budget(2**20)

    def rows(top, bottom):
        events.append(("in", bottom))
        return image[top:bottom]

    parts = []
    for part in stream(rows, RUNS, cut(height, 40), channels=3, budget=budget):
        parts.append(part)
        events.append(("out", sum(map(len, parts))))
        held.append(budget.held_bytes)
    assert np.array_equal(np.concatenate(parts), untiled(image))
    ahead = [
        bottom - max([done for kind, done in events[:n] if kind == "out"], default=0)
        for n, (kind, bottom) in enumerate(events)
        if kind == "in"
    ]
    assert max(ahead) <= 6 * 32  # what is read is used soon
    assert (
        max(held) <= 6 * 32 * 48 * 3 * 4
    )  # and let go soon, with the maps made of it; a row is 48 pixels with its padding
    assert [top for kind, top in events if kind == "in"] == sorted({top for kind, top in events if kind == "in"})


@pytest.mark.parametrize("limit_bytes", [0, 2000, 2**20])
def test_a_strip_keeps_within_its_budget_and_lets_go_of_what_nobody_needs(limit_bytes):
    budget = Budget(limit_bytes)
    strip = Strip(budget)
    whole = RANDOM.random((64, 5, 3), dtype=np.float32)
    for block in np.split(whole, 8):
        strip.append(block)
        assert budget.held_bytes <= limit_bytes
    strip.release(17)
    for top, left in ((20, 0), (17, 2), (50, 1), (56, 2)):
        (tile,) = strip.tiles(1, 8, 3)
        strip.read(tile, top, left)
        assert np.array_equal(tile, whole[top : top + 8, left : left + 3])
    strip.release(64)
    assert budget.held_bytes == 0


def test_a_block_is_written_whole_where_a_call_writes_a_part(monkeypatch, tmp_path):
    class Partial(FileIO):
        def write(self, data):
            return super().write(data[:100])

    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir, buffering: Partial(tmp_path / "map", "w+"))
    strip, rows = Strip(Budget(0)), RANDOM.random((5, 11, 3), dtype=np.float32)
    strip.append(rows)
    (tile,) = strip.tiles(1, 5, 11)
    strip.read(tile, 0, 0)
    assert np.array_equal(tile, rows)
    strip.release(5)


def test_maps_on_disk_give_the_same_bytes(tmp_path):
    image = picture(150, 75)
    parts = stream(lambda t, b: image[t:b], RUNS, cut(150, 75), channels=3, budget=Budget(5000, tmp_path))
    assert np.array_equal(np.concatenate(list(parts)), untiled(image))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [MemoryError, OutOfMemory])
def test_when_memory_runs_out_the_batch_is_halved_and_the_bytes_are_the_same(error):
    image, tried = picture(100, 300), []

    def small(maps):
        tried.append(len(maps))
        if len(maps) > 2:
            raise error("full")
        return blurred(maps)

    assert np.array_equal(restore(image, RUNS | {"blurred": small}, cut(100, 300), batch=8), untiled(image))
    assert tried[:3] == [8, 4, 2]
    assert max(tried[3:]) == 2


def test_when_not_even_one_tile_fits_that_is_said():
    def full(maps):
        raise MemoryError

    with pytest.raises(OutOfMemory, match="a single tile of 24 x 24"):
        restore(picture(40, 40), RUNS | {"half": full}, cut(40, 40), batch=4)


def test_progress_counts_tiles_over_all_stages():
    told = []
    plan = cut(100, 75)
    restore(picture(100, 75), RUNS, plan, on_progress=lambda done, total: told.append((done, total)))
    assert len(told) == sum(map(len, plan.plans)) + 1
    assert told[0] == (0, len(plan))
    assert told[-1] == (len(plan), len(plan))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_cancelling_stops_before_the_next_batch():
    told = []
    with pytest.raises(Cancelled, match="after 5 of"):
        restore(
            picture(100, 75),
            RUNS,
            cut(100, 75),
            on_progress=lambda done, total: told.append(done),
            cancelled=lambda: told[-1] == 5,
        )


def test_a_grey_picture_stays_grey_in_a_colour_network():
    image = picture(40, 40, 1)
    restored = restore(image, RUNS, cut(40, 40), in_channels=3)
    assert restored.shape == (40, 40, 1)
    assert np.abs(restored - untiled(image)).max() < 1e-6


@pytest.mark.parametrize("answer", [lambda maps: maps[:, 1:], lambda maps: maps * np.float32("nan")])
def test_a_runner_that_answers_nonsense_is_caught(answer):
    with pytest.raises(InvalidResult, match="half answered"):
        restore(picture(40, 40), RUNS | {"half": answer}, cut(40, 40))


@pytest.mark.parametrize("planned", [(24, 40), (48, 40), (40, 24), (40, 48)])
def test_a_layout_for_another_size_is_refused(planned):
    with pytest.raises(
        ValueError, match=f"the layout is for {planned[1]} x {planned[0]} pixels, the picture has 40 x 40"
    ):
        restore(picture(40, 40), RUNS, cut(*planned))


@pytest.mark.parametrize("given", [np.s_[:0], np.s_[:1], np.s_[:, 1:]])
def test_a_source_that_gives_other_rows_than_were_asked_for_is_refused(given):
    image = picture(40, 40)
    rows = stream(lambda top, bottom: image[top:bottom][given], RUNS, cut(40, 40), channels=3)
    with pytest.raises(ValueError, match="rows 0 to 40 of 40 pixels were asked for"):
        list(rows)


@pytest.mark.parametrize("batch", [0, -1])
def test_less_than_one_tile_at_once_is_refused(batch):
    with pytest.raises(ValueError, match=f"at least one tile at once, not {batch}"):
        restore(picture(40, 40), RUNS, cut(40, 40), batch=batch)
