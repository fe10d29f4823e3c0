from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path

import pytest

from benchmarks import capacity
from benchmarks.capacity import Network, Visit

PAGE = Path(__file__).parents[2] / "docs" / "capacity.md"
RATES = tomllib.loads(capacity.RATES.read_text())


def _share_that_waits_less(seconds: float, load: float) -> float:
    """Of an M/D/1 queue whose service takes 1 s (Crommelin 1932)."""
    parts = (
        (load * (k - seconds)) ** k / math.factorial(k) * math.exp(load * (seconds - k))
        for k in range(int(seconds) + 1)
    )
    return (1 - load) * sum(parts)


def test_waiting_for_one_server_is_what_queueing_theory_says() -> None:
    load, count = 0.8, 60_000
    outcome = capacity.simulate(capacity.poisson(count, load), [[Visit("gpu", 1.0)]] * count, {"gpu": 1})
    assert outcome.busy["gpu"] == pytest.approx(load, rel=0.02)
    assert _share_that_waits_less(outcome.p50_s - 1, load) == pytest.approx(0.50, abs=0.03)
    assert _share_that_waits_less(outcome.p95_s - 1, load) == pytest.approx(0.95, abs=0.02)


def test_a_shared_picture_takes_as_long_as_its_largest_share() -> None:
    outcome = capacity.simulate([0.0], [[Visit("gpu", 8.0, shares=4)]], {"gpu": 4})
    assert outcome.p50_s == 2.0
    assert outcome.busy["gpu"] == 1.0


def test_visits_follow_one_another() -> None:
    outcome = capacity.simulate([0.0, 0.0], [[Visit("codec", 1.0), Visit("gpu", 2.0)]] * 2, {"codec": 1, "gpu": 1})
    assert outcome.p95_s == 5.0


def test_small_fleets_are_limited_by_their_gpus_and_grow_with_them() -> None:
    one, two = (capacity.plan(Network(100), RATES, gpus, pictures=800) for gpus in (1, 2))
    assert one["scarcest"] == two["scarcest"] == "gpu"
    assert two["megapixels_per_second"] == pytest.approx(2 * one["megapixels_per_second"], rel=0.1)
    assert one["gpu_busy"] == pytest.approx(capacity.LOAD, rel=0.1)


def test_a_fleet_of_fast_gpus_meets_another_limit_and_stops_growing() -> None:
    large, larger = (capacity.plan(Network(20_000), RATES, gpus, pictures=400) for gpus in (256, 512))
    assert large["scarcest"] == larger["scarcest"] != "gpu"


def test_tile_units_are_those_the_service_plans() -> None:
    exact = 12e6 / capacity.UNIT_PIXELS
    assert Network(1, halo=0).units(12) == pytest.approx(exact, rel=0.2)
    assert Network(1, halo=128).units(12) > 3 * exact


def test_the_plan_is_the_same_each_time() -> None:
    first, second = (capacity.plan(Network(100), RATES, 4, pictures=200) for _ in range(2))
    assert first == second


def test_the_tables_of_the_page_are_what_the_commands_above_them_print(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text()
    commands = re.findall(r"^    python -m benchmarks.capacity (.*)$", page, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        capacity.main(command.split())
        assert capsys.readouterr().out in page, f"print anew: python -m benchmarks.capacity {command}"
