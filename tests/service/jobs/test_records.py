from __future__ import annotations

import pytest

from service.jobs import records

UNIT = 256 * 256


def test_what_is_left_takes_all_workers_the_mixtures_mean() -> None:
    totals = {b"cost": b"%d" % (4 * UNIT), b"cost:fast": b"%d" % (3 * UNIT), b"cost:slow": b"%d" % UNIT}
    pace = {b"fast": b"2.0", b"slow": b"6.0"}  # three units at 2 s and one at 6 s: 3 s each
    assert records.seconds_left(4 * UNIT, totals, pace, workers=1) == pytest.approx(12)
    assert records.seconds_left(4 * UNIT, totals, pace, workers=3) == pytest.approx(4)


def test_a_network_that_has_not_run_is_taken_for_the_slowest() -> None:
    totals = {b"cost:new": b"%d" % UNIT}
    assert records.seconds_left(UNIT, totals, {b"fast": b"2.0", b"slow": b"6.0"}, workers=1) == pytest.approx(6)
    assert records.seconds_left(UNIT, totals, {}, workers=0) == pytest.approx(1)


def test_sums_of_costs_are_exact() -> None:
    assert records.pixels(0.1) + records.pixels(0.2) == records.pixels(0.1 + 0.2) == 19661
