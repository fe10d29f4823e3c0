"""Tiles that are cut, and cells that fade into one another, become rows of maps."""

from __future__ import annotations

import numpy as np
import pytest

from imaging.errors import OutOfMemory
from imaging.staged import restore, stream
from imaging.stages import Stage, layout
from imaging.strip import Budget

CELL = 16
# On a map of half the size, beside a stage that is cut; so a cell has 8 pixels a side.
STAGES = (
    Stage("half", ("picture",), lattice=2, halo=0, down=2),
    Stage("faded", ("half",), lattice=CELL // 2, halo=0, single=CELL, down=2, cell=CELL),
    Stage("full", ("faded",), lattice=2, halo=0),
)


def half(maps):
    return maps[:, ::2, ::2]


def centred(maps):
    return maps - maps.mean(axis=(1, 2), keepdims=True)


def full(maps):
    return maps.repeat(2, axis=1).repeat(2, axis=2)


RUNS = {"half": half, "faded": centred, "full": full}


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((height, width, 3))


def faded(one: np.ndarray, side: int) -> np.ndarray:
    """All cells of a map at once: weighted sums over weights, with weights that know of no border."""
    tent = 1 - np.abs((np.arange(side) + 0.5) / (side / 2) - 1)
    weights = np.outer(tent, tent)[..., None]
    total, whole = np.zeros_like(one), np.zeros((*one.shape[:2], 1))
    for top in range(0, one.shape[0] - side // 2, side // 2):
        for left in range(0, one.shape[1] - side // 2, side // 2):
            place = np.s_[top : top + side, left : left + side]
            total[place] += centred(one[None, *place])[0] * weights
            whole[place] += weights
    return total / whole


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("tile", [0, 16, 32])
def test_cell_by_cell_a_map_is_what_all_cells_at_once_make_of_it(tile: int, batch: int) -> None:
    image = picture(5 * CELL, 3 * CELL)
    expected = full(faded(half(image[None])[0], CELL // 2)[None])[0]
    plan = layout(*image.shape[:2], STAGES, tile=tile, lattice=CELL)
    assert np.abs(restore(image, RUNS, plan, batch=batch) - expected).max() < 1e-12


def test_what_waits_for_the_next_row_of_cells_counts_as_memory_and_is_let_go() -> None:
    image = picture(40 * CELL, 3 * CELL)
    plan, budget = layout(*image.shape[:2], STAGES, tile=32, lattice=CELL), Budget(2**20)
    restored = stream(lambda top, bottom: image[top:bottom], RUNS, plan, channels=3, budget=budget)
    next(restored)
    waiting = CELL // 4 * image.shape[1] // 2 * 3 * 8
    assert waiting <= budget.held_bytes < image.nbytes / 4
    restored.close()
    assert budget.held_bytes == 0


def test_a_row_of_small_cells_is_computed_at_once_and_out_of_memory_is_said() -> None:
    image, tried = picture(2 * CELL, 12 * CELL), []

    def greedy(maps):
        tried.append(len(maps))
        raise MemoryError

    plan = layout(*image.shape[:2], STAGES, tile=0, lattice=CELL)
    assert STAGES[1].at_once == 64  # cells of 8 x 8 that make one of 64 x 64
    with pytest.raises(OutOfMemory, match="a single tile of 16 x 16"):
        restore(image, RUNS | {"faded": greedy}, plan)
    assert tried == [23]


def test_cells_are_not_the_tiles_that_are_spoken_of() -> None:
    plan = layout(20 * CELL, 20 * CELL, STAGES, tile=160, lattice=CELL)
    assert plan.tile <= 160
    assert len(plan) == max(len(plan.plans[0]), len(plan.plans[2])) < len(plan.plans[1]) == 39**2


def test_four_cells_lie_on_a_pixel_but_at_the_borders() -> None:
    large, small = (layout(side, side, STAGES[1:2], tile=0, lattice=CELL) for side in (100 * CELL, 2 * CELL))
    assert STAGES[1].load == 4
    assert 0.98 < large.work < 1
    assert small.work == 9 / 4 / 4
