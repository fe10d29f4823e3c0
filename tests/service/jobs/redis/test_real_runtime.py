"""Bytes that do not depend on company: a real network in the real runtime, whose sums would show it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import onnx_convolutions
import pytest
from redis_bench import RedisBench
from service_bench import png, wait_for_state

from export import runners
from export.runners import Runner
from service.catalogue import Catalogue

RESTORE = "/restore?task=derain"


@pytest.fixture
def real(bench: RedisBench, tmp_path: Path) -> RedisBench:
    bench.catalogue = Catalogue.read(onnx_convolutions.write(tmp_path / "artifacts"))
    return bench


def test_two_workers_make_the_bytes_of_one(real: RedisBench) -> None:
    content, settings = png(900, 700), {"threads": 1, "large_tile_units": 0.25}

    def restored(client: httpx.Client) -> bytes:
        job = client.post(RESTORE, content=content, headers={"Prefer": "respond-async"}).json()["id"]
        wait_for_state(client, job, "succeeded")
        return client.get(f"/jobs/{job}/result").content

    with real.client(**settings) as client:
        with real.worker(runners.load, **settings):
            alone = restored(client)
        with real.worker(runners.load, **settings), real.worker(runners.load, **settings):
            assert restored(client) == alone


def test_two_hundred_pictures_of_32_clients_have_the_bytes_they_have_one_at_a_time(real: RedisBench) -> None:
    contents = [png(20 + n % 60, 20 + n // 8, seed=n) for n in range(200)]
    settings = {"threads": 1, "batch": 8, "fixed_batch": True, "jobs_at_once": 16}
    pause_s = 0.0

    def load(*args: Any, **options: Any) -> Runner:
        run = runners.load(*args, **options)

        def run_later(tiles: Any) -> Any:
            time.sleep(pause_s)  # meanwhile, tiles of other pictures come
            return run(tiles)

        return run_later

    with real.client() as client, real.worker(load, **settings):

        def ask(content: bytes) -> bytes:
            answer = client.post(RESTORE, content=content)
            assert answer.status_code == 200, answer.text
            return answer.content

        def calls() -> float:
            return real.metrics.registry.get_sample_value("unseam_batch_size_count") or 0

        alone = [ask(content) for content in contents]
        before, pause_s = calls(), 0.05
        with ThreadPoolExecutor(32) as clients:
            together = list(clients.map(ask, contents))
    assert together == alone
    assert len(set(alone)) == 200
    assert calls() - before < 150  # they did share batches
