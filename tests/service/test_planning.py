from __future__ import annotations

import pytest

from imaging import tiling
from imaging.stages import Stage, layout
from service.planning import mode


@pytest.mark.parametrize(
    ("height", "width", "tile", "said"),
    [(256, 256, 256, "whole"), (250, 129, 256, "whole"), (300, 400, 0, "whole"), (300, 256, 256, "bounded")],
)
def test_one_pass_is_exact_where_one_tile_holds_the_picture_and_nothing_else(
    height: int, width: int, tile: int, said: str
) -> None:
    assert mode(tiling.plan(height, width, tile=tile, halo=64, lattice=128)) == said


@pytest.mark.parametrize(("height", "width", "halo"), [(100, 100, 0), (1, 256, 64), (256, 40, 64)])
def test_one_tile_that_is_filled_up_is_not_exact(height: int, width: int, halo: int) -> None:
    course = tiling.plan(height, width, tile=256, halo=halo, lattice=128)
    assert len(course) == 1
    assert mode(course) == "bounded"
    assert mode(tiling.plan(height, width, tile=256, halo=halo, lattice=128, fixed=False)) == "whole"


def test_segments_are_exact_whether_or_not_they_are_cut() -> None:
    stages = (Stage("same", ("picture",), lattice=8, halo=4),)
    assert mode(layout(40, 40, stages, tile=0, lattice=8)) == "whole"
    assert mode(layout(40, 40, stages, tile=16, lattice=8)) == "staged"
