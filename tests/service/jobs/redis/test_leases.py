from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import numpy as np
import pytest
from redis_bench import RedisBench
from service_bench import Inverter, inverted, manifest, pixels, png, wait_for, wait_for_state

from imaging.restoration import Run
from service.catalogue import Artifact, Catalogue

RESTORE = "/restore?task=derain"
ASYNC = {"Prefer": "respond-async"}
LARGE = {"large_tile_units": 0.25}  # four of the bench's tiles


def restored(client: httpx.Client, content: bytes) -> tuple[httpx.Response, dict[str, object]]:
    job = client.post(RESTORE, content=content, headers=ASYNC).json()["id"]
    view = wait_for_state(client, job, "succeeded", "failed")
    return client.get(f"/jobs/{job}/result"), view


def slow(seconds: float) -> Inverter:
    runner = Inverter()
    runner.seconds = seconds
    return runner


def test_two_workers_share_a_large_picture_and_make_the_same_bytes(bench: RedisBench) -> None:
    content = png(700, 500)
    with bench.client(**LARGE) as client:
        with bench.worker(**LARGE):
            alone, _ = restored(client, content)
        first, second = slow(0.02), slow(0.02)
        with bench.worker(lambda *_, **__: first, **LARGE), bench.worker(lambda *_, **__: second, **LARGE):
            together, view = restored(client, content)
    assert together.content == alone.content
    np.testing.assert_array_equal(pixels(together.content), inverted(content))
    tiles = view["tiles_total"]
    assert tiles <= first.tiles + second.tiles < 1.1 * tiles  # none was computed twice, while leases are kept alive
    assert min(first.tiles, second.tiles) > tiles // 10
    assert not list(bench.blobs.rglob("tiles/*"))
    assert not list(bench.server.client.scan_iter("unseam:tiles*"))


def test_workers_of_two_versions_of_a_network_share_no_picture_and_each_says_which_it_has(
    bench: RedisBench, caplog: pytest.LogCaptureFixture
) -> None:
    content = png(700, 500)
    newer = RedisBench(bench.folder.parent / "newer", bench.server)
    newer.blobs = bench.blobs
    newer.catalogue = Catalogue([Artifact(bench.folder, manifest(version=2))])
    runners = slow(0.01), slow(0.01)
    with (
        bench.client(**LARGE) as client,
        bench.worker(lambda *_, **__: runners[0], **LARGE),
        newer.worker(lambda *_, **__: runners[1], **LARGE),
    ):
        answer, view = restored(client, content)
    by_which = [runner.tiles for runner in runners].index(view["tiles_total"])
    assert runners[1 - by_which].tiles == 0
    assert f"version={by_which + 1};" in answer.headers["x-model"]
    assert caplog.text.count("no help with pictures for inverter") == 1


def test_hosts_that_exported_for_themselves_share_a_large_picture(bench: RedisBench) -> None:
    def measured(seconds: float) -> dict[str, object]:
        speed = {"backend": "onnx", "tile": 64, "threads": 1, "ms_per_tile": 1e3 * seconds}
        return {"speed": [speed], "backends": ["onnx", "openvino"] if seconds > 1 else ["onnx"], "sha256": None}

    other = RedisBench(bench.folder.parent / "other", bench.server)
    other.blobs = bench.blobs
    for host, seconds in ((bench, 1.0), (other, 2.0)):
        host.catalogue = Catalogue([Artifact(bench.folder, manifest(**measured(seconds)).sealed())])
    runners = slow(0.02), slow(0.02)
    with (
        bench.client(**LARGE) as client,
        bench.worker(lambda *_, **__: runners[0], **LARGE),
        other.worker(lambda *_, **__: runners[1], **LARGE),
    ):
        restored(client, png(700, 500))
    assert min(runner.tiles for runner in runners) > 0


def test_a_large_picture_that_is_begun_while_redis_takes_no_writes_waits(bench: RedisBench) -> None:
    server = bench.server.client
    with bench.client(**LARGE) as client, bench.worker(**LARGE) as worker:
        share = worker._share

        def share_without_redis(*args: Any) -> Run:
            server.config_set("min-replicas-to-write", 1)
            threading.Timer(1, server.config_set, ("min-replicas-to-write", 0)).start()
            return share(*args)

        worker._share = share_without_redis  # type: ignore[method-assign]
        answer, _ = restored(client, png(300, 300))
    assert answer.status_code == 200, answer.text


def test_progress_is_both_workers(bench: RedisBench) -> None:
    with bench.client(**LARGE) as client:
        runners = slow(0.03), slow(0.03)
        with bench.worker(lambda *_, **__: runners[0], **LARGE), bench.worker(lambda *_, **__: runners[1], **LARGE):
            job = client.post(RESTORE, content=png(700, 500), headers=ASYNC).json()["id"]
            seen = []
            while (view := client.get(f"/jobs/{job}").json())["state"] in ("queued", "running"):
                seen.append(view["tiles_done"])
                assert view["tiles_done"] <= view["tiles_total"]
            assert seen == sorted(seen)
            assert len(set(seen)) > 5
            assert view["tiles_done"] == view["tiles_total"]


def test_tiles_of_a_lost_helper_are_given_out_again(bench: RedisBench) -> None:
    content = png(500, 500)
    home, lost = slow(0.01), slow(0.0)
    with bench.client(**LARGE) as client, bench.worker(lambda *_, **__: home, **LARGE):
        with bench.worker(lambda *_, **__: lost, **LARGE) as helper:
            helper._in_lane = lambda lane: 99  # helps, and takes no job  # type: ignore[method-assign]
            helper._may_help = lambda job_id: True  # type: ignore[method-assign]
            helper._helper._may_help = lambda job_id: True
            helper._reporter._held = list  # its leases are not kept alive
            lost.go.clear()
            job = client.post(RESTORE, content=content, headers=ASYNC).json()["id"]
            view = wait_for_state(client, job, "succeeded")
            lost.go.set()
        np.testing.assert_array_equal(pixels(client.get(f"/jobs/{job}/result").content), inverted(content))
        assert home.tiles == view["tiles_total"]
        wait_for(lambda: not list(bench.blobs.rglob("tiles/*/*")))  # the late answer was not wanted


def test_a_shared_picture_is_cancelled_for_all(bench: RedisBench) -> None:
    runners = slow(0.02), slow(0.02)
    with (
        bench.client(**LARGE) as client,
        bench.worker(lambda *_, **__: runners[0], **LARGE) as first,
        bench.worker(lambda *_, **__: runners[1], **LARGE) as second,
    ):
        job = client.post(RESTORE, content=png(900, 900), headers=ASYNC).json()["id"]
        wait_for(lambda: runners[0].tiles and runners[1].tiles)
        client.delete(f"/jobs/{job}")
        wait_for(lambda: not any(len(worker._attempts) or worker._helper.held for worker in (first, second)))
        done = runners[0].tiles + runners[1].tiles
        time.sleep(0.4)
        assert runners[0].tiles + runners[1].tiles == done < client.get(f"/jobs/{job}").json()["tiles_total"]
    assert not list(bench.blobs.rglob("*/*"))


def test_a_thumbnail_does_not_wait_for_a_large_picture(bench: RedisBench) -> None:
    bench.runner.seconds = 0.05
    with bench.client(**LARGE) as client, bench.worker(drain_s=0, **LARGE):
        large = client.post(RESTORE, content=png(900, 900), headers=ASYNC).json()["id"]
        wait_for_state(client, large, "running")
        client.post(RESTORE, content=png(900, 900), headers=ASYNC)  # waits for the first one's memory
        assert client.post(RESTORE, content=png()).status_code == 200
        assert client.get(f"/jobs/{large}").json()["state"] == "running"
