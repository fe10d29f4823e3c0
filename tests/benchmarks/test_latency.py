from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from service_bench import Bench

from benchmarks import latency


def arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    latency.add_arguments(parser)
    return parser.parse_args(given)


def test_every_level_of_a_real_server_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path)
    bench.runner.seconds = 0.002
    with bench.client() as client:
        assert (
            latency.run(arguments("--url", str(client.base_url), "--clients", "1,3", "--requests", "6", "--json")) == 0
        )
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert (found["network"], found["width"], found["height"]) == ("inverter", 256, 256)
    for level, clients in zip(found["levels"], (1, 3), strict=True):
        assert (level["clients"], len(level["latencies_s"]), level["refused"]) == (clients, 6, 0)
        assert max(level["latencies_s"]) <= level["seconds"]
        assert min(level["latencies_s"]) >= 0.002 * 25  # tiles of the picture
    assert "3 clients: " in captured.err


def test_a_full_server_is_asked_again_and_that_counts(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.runner.seconds = 0.002
    with bench.client(max_backlog_tile_units=1) as client:
        level = latency.measure(str(client.base_url), {"task": "derain"}, latency.drawn(), clients=3, requests=3)
    assert len(level.latencies_s) == 3
    assert level.refused > 0


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    with Bench(tmp_path).client() as client:
        given = arguments("--url", str(client.base_url), "--task", "derian")
        with pytest.raises(latency.BenchError, match="No task 'derian'"):
            latency.run(given)


def test_percentiles_and_rate_are_those_of_the_requests() -> None:
    level = latency.Level(2, 5.0, [0.1 * n for n in range(1, 11)], refused=0)
    assert level.per_second == 2
    assert level.percentile(50) == pytest.approx(0.55)
    assert latency.line(level).startswith("  2 clients: 2.00 pictures a second, p50 0.550 s, p95")
