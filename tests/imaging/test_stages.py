from __future__ import annotations

from dataclasses import replace

import pytest

from imaging.errors import PlanError
from imaging.stages import Stage, economical, layout

STAGES = (
    Stage("half", ("picture",), lattice=2, halo=0, down=2),
    Stage("blurred", ("half",), lattice=2, halo=2, down=2),
    Stage("cells", ("blurred",), lattice=16, halo=0, down=2),
    Stage("joined", ("cells", "picture"), lattice=2, halo=1, down=1),
)


def cut(height, width, tile):
    return layout(height, width, STAGES, tile=tile, lattice=16)


def test_tile_0_is_the_whole_picture_at_once():
    assert len(cut(100, 75, tile=0)) == 1


def test_tiles_are_no_longer_than_so_many_of_them_need():
    for size in (100, 272, 1000, 4000):
        for plan in cut(size, size, tile=64).plans:
            rows = plan.rows
            assert rows.tile <= 64
            assert rows.extent <= len(rows.origins) * rows.tile < rows.extent + 2 * plan.halo * len(rows.origins) + 64
            assert all(origin % plan.lattice == 0 for origin in rows.origins)


def test_a_tile_without_a_core_is_refused_with_the_one_that_would_do():
    wide = (*STAGES[:3], Stage("joined", ("cells", "picture"), lattice=2, halo=16, down=1))
    with pytest.raises(PlanError, match=r"no core.*\(joined\).*at least 34"):
        layout(100, 100, wide, tile=32, lattice=16)
    one_window = (Stage("shifted", ("picture",), lattice=16, halo=4, single=32),)
    with pytest.raises(PlanError, match="at least 48"):
        layout(100, 100, one_window, tile=32, lattice=16)
    assert len(layout(9, 40, one_window, tile=48, lattice=16)) == 1


def test_work_weighs_the_stages_by_what_they_cost():
    def work(**costs):
        return layout(512, 512, [replace(s, cost=costs[s.name]) for s in STAGES], tile=64, lattice=16).work

    assert work(half=1, blurred=0, cells=1, joined=0) == 1
    blurred = work(half=0, blurred=1, cells=0, joined=0)
    assert blurred > 1
    assert work(half=1, blurred=3, cells=0, joined=0) == pytest.approx((1 + 3 * blurred) / 4)


def test_where_a_tile_costs_too_much_a_larger_one_is_taken():
    far = (Stage("far", ("picture",), lattice=8, halo=48),)
    near = (Stage("near", ("picture",), lattice=8, halo=4),)
    assert economical(5000, 5000, near, lattice=8).tile <= 512
    assert 512 < economical(5000, 5000, far, lattice=8).tile <= 1024
    assert economical(5000, 5000, far, lattice=8).work <= 1.25
    nothing_does = (Stage("farther", ("picture",), lattice=8, halo=240),)
    assert 768 < economical(5000, 5000, nothing_does, lattice=8).tile <= 1024


def test_each_stage_has_tiles_as_large_as_a_cache_holds_of_its_map() -> None:
    fine = Stage("fine", ("picture",), lattice=2, halo=4, down=2)
    cells = Stage("cells", ("fine",), lattice=128, halo=0, down=2)
    far = Stage("far", ("cells",), lattice=32, halo=96, down=2)  # small tiles would be all halo
    plans = layout(2048, 2048, (fine, cells, far), tile=512, lattice=128).plans
    assert [plan.tile_shape for plan in plans[:2]] == [(136, 136), (128, 128)]
    assert min(plans[2].tile_shape) > 400


def test_no_tile_of_any_stage_is_longer_than_asked_for() -> None:
    for tile in (32, 48, 64):
        assert all(max(plan.tile_shape) <= tile for plan in cut(500, 300, tile).plans)
