from __future__ import annotations

import pytest

from imaging.codec import Format
from service.jobs.job import Order
from service.jobs.lanes import LARGE, SMALL, lane


@pytest.mark.parametrize(("tiles", "units", "wanted"), [(3072, 63.9, SMALL), (16, 64.1, LARGE)])
def test_a_picture_is_large_by_its_work_and_not_by_how_finely_it_is_cut(tiles: int, units: float, wanted: str) -> None:
    order = Order("derain", "m", Format.PNG, None, "all", None, 1, 1, tiles, units, "0", 1)
    assert lane(order, 64) == wanted
