from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path

import pytest

from benchmarks import capacity, capacity_tasks
from benchmarks.capacity import Network
from benchmarks.queueing import Visit, poisson, simulate
from models import build, registry
from models.count import count

PAGE = Path(__file__).parents[2] / "docs" / "capacity.md"
RATES = tomllib.loads(capacity.RATES.read_text())
DERAIN = RATES["networks"][capacity.NETWORK]


def _share_that_waits_less(seconds: float, load: float) -> float:
    """Of an M/D/1 queue whose service takes 1 s (Crommelin 1932)."""
    parts = (
        (load * (k - seconds)) ** k / math.factorial(k) * math.exp(load * (seconds - k))
        for k in range(int(seconds) + 1)
    )
    return (1 - load) * sum(parts)


def test_waiting_for_one_server_is_what_queueing_theory_says() -> None:
    load, count = 0.8, 60_000
    outcome = simulate(poisson(count, load, seed=8), [[Visit("gpu", 1.0)]] * count, {"gpu": 1})
    assert outcome.busy["gpu"] == pytest.approx(load, rel=0.02)
    assert _share_that_waits_less(outcome.p50_s - 1, load) == pytest.approx(0.50, abs=0.03)
    assert _share_that_waits_less(outcome.p95_s - 1, load) == pytest.approx(0.95, abs=0.02)


def test_a_shared_picture_takes_as_long_as_its_largest_share() -> None:
    outcome = simulate([0.0], [[Visit("gpu", 8.0, shares=4)]], {"gpu": 4})
    assert outcome.p50_s == 2.0
    assert outcome.busy["gpu"] == 1.0


def test_visits_follow_one_another() -> None:
    outcome = simulate([0.0, 0.0], [[Visit("codec", 1.0), Visit("gpu", 2.0)]] * 2, {"codec": 1, "gpu": 1})
    assert outcome.p95_s == 5.0


@pytest.mark.parametrize("one_pass", [True, False])
def test_small_fleets_are_limited_by_their_workers_and_grow_with_them(one_pass: bool) -> None:
    network = Network.known(DERAIN, 100, one_pass)
    one, two = (capacity.plan(network, RATES, workers, pictures=800) for workers in (1, 2))
    assert one["scarcest"] == two["scarcest"] == "worker"
    assert two["megapixels_per_second"] == pytest.approx(2 * one["megapixels_per_second"], rel=0.1)
    assert one["worker_busy"] == pytest.approx(capacity.LOAD, rel=0.1)


def test_a_fleet_of_fast_workers_meets_another_limit_and_stops_growing() -> None:
    large, larger = (capacity.plan(Network(20_000), RATES, workers, pictures=400) for workers in (256, 512))
    assert large["scarcest"] == larger["scarcest"] != "worker"


def test_tile_units_of_one_pass_are_those_the_service_plans() -> None:
    exact = 12e6 / capacity.UNIT_PIXELS
    assert Network(1, halo=0).units(12) == pytest.approx(exact, rel=0.2)
    assert 1.5 * exact < Network(1, halo=128).units(12) < 2 * exact
    assert Network(1, tiles=(256, 512), halo=128).units(12) > 3 * exact


def test_a_picture_that_is_restored_exactly_stays_with_one_worker() -> None:
    exact, shared = Network.known(DERAIN), Network.known(DERAIN, one_pass=True)
    assert exact.units(12) == pytest.approx(DERAIN["work"] * 12e6 / capacity.UNIT_PIXELS)
    assert exact.shares(exact.units(12), 8) == 1
    assert shared.shares(shared.units(12), 8) == 8  # each of them 64 units or more
    assert shared.shares(shared.units(0.2), 8) == 1


@pytest.mark.parametrize("card", registry.cards(), ids=lambda card: card.name)
def test_costs_are_known_of_every_shipped_network_as_it_is_now(card: registry.Card) -> None:
    entry = RATES["networks"][card.name]
    assert (entry["task"], entry["scale"]) == (card.task, card.scale)
    network = build.create(card.network, card.config)
    assert entry["gigamacs_per_unit"] == pytest.approx(count(network, 256).macs / 1e9, abs=1e-3)
    assert Network.known(entry).units_per_second > 0


def test_an_unknown_network_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        capacity.main(["--network", "nonesuch"])
    assert "no network 'nonesuch'" in capsys.readouterr().err


def test_the_plan_is_the_same_each_time() -> None:
    first, second = (capacity.plan(Network(100), RATES, 4, pictures=200) for _ in range(2))
    assert first == second


def test_the_tables_of_the_page_are_what_the_commands_above_them_print(capsys: pytest.CaptureFixture[str]) -> None:
    page = PAGE.read_text()
    commands = re.findall(r"^    python -m benchmarks.(capacity|capacity_tasks)(?: (.*))?$", page, re.MULTILINE)
    assert len(commands) == 4
    for name, arguments in commands:
        {"capacity": capacity, "capacity_tasks": capacity_tasks}[name].main(arguments.split())
        assert capsys.readouterr().out in page, f"print anew: python -m benchmarks.{name} {arguments}"
