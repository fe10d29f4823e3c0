from __future__ import annotations

import time

import numpy as np
import pytest
from redis_bench import RedisBench
from rq import Queue
from rq.serializers import JSONSerializer
from service_bench import Inverter, inverted, pixels, png, wait_for, wait_for_state

from imaging.errors import DeviceLost
from service.jobs import control, records
from service.jobs.janitor import _Clock

RESTORE = "/restore?task=derain"
ASYNC = {"Prefer": "respond-async"}


def test_a_job_of_a_dead_worker_is_done_by_another_within_seconds(bench: RedisBench) -> None:
    content = png(200, 200)
    stuck = Inverter()
    stuck.go.clear()
    with bench.client() as client, bench.janitor(), bench.janitor():  # two are as good as one
        with bench.worker(lambda *_, **__: stuck, drain_s=0) as dead:
            job = client.post(RESTORE, content=content, headers=ASYNC).json()["id"]
            wait_for_state(client, job, "running")
            dead._shutdown()
            dead._account.give_back = lambda attempt: None  # type: ignore[method-assign] # as if it was killed
            dead._reporter.stop()
            died = time.monotonic()
            with bench.worker():
                wait_for_state(client, job, "succeeded")
                took = time.monotonic() - died
            stuck.go.set()
        np.testing.assert_array_equal(pixels(client.get(f"/jobs/{job}/result").content), inverted(content))
        assert took < 30  # about 5 s on a quiet machine
        assert bench.server.client.hget(records.record(job), "attempt") == b"2"


def test_a_job_that_takes_every_worker_down_is_given_up(bench: RedisBench) -> None:
    with bench.client() as client:
        job = client.post(RESTORE, content=png(), headers=ASYNC).json()["id"]
        bench.server.client.hset(records.record(job), "attempt", 3)
        with bench.worker():
            view = wait_for_state(client, job, "failed")
        assert view["error"]["type"] == "urn:unseam:problem:quarantined"
        assert "ended abruptly" in view["error"]["detail"]
        assert client.get(f"/jobs/{job}/result").status_code == 500
    assert not list(bench.blobs.rglob("*/*"))


def test_accepted_jobs_that_never_reached_the_queue_are_enqueued(bench: RedisBench) -> None:
    with bench.client() as client:
        job = client.post(RESTORE, content=png(), headers=ASYNC).json()["id"]
        queue = control.queues(bench.server.client)["small"]
        bench.server.client.delete(queue.key, f"rq:job:{job}")  # as if the API was killed in between
        with bench.janitor(), bench.worker():
            wait_for_state(client, job, "succeeded")


def test_jobs_popped_by_a_dying_worker_are_put_back(bench: RedisBench) -> None:
    with bench.client() as client:
        job = client.post(RESTORE, content=png(), headers=ASYNC).json()["id"]
        queue = control.queues(bench.server.client)["small"]
        bench.server.client.lmove(queue.key, queue.intermediate_queue_key)
        with bench.janitor(), bench.worker():
            wait_for_state(client, job, "succeeded")


def test_a_foreign_job_is_refused_and_counted(bench: RedisBench) -> None:
    mark = bench.folder / "owned"
    Queue("unseam", connection=bench.server.client, serializer=JSONSerializer).enqueue("os.system", f"touch {mark}")
    Queue("unseam", connection=bench.server.client).enqueue("os.system", f"touch {mark}")  # pickled
    with bench.client() as client, bench.worker():
        assert client.post(RESTORE, content=png()).status_code == 200
        refused = bench.metrics.registry.get_sample_value("unseam_rejected_total", {"reason": "foreign-job"})
    assert refused == 2
    assert not mark.exists()


def test_foreign_jobs_are_counted_from_zero_so_that_the_first_is_an_increase(bench: RedisBench) -> None:
    with bench.worker():
        assert bench.metrics.registry.get_sample_value("unseam_rejected_total", {"reason": "foreign-job"}) == 0


def test_a_worker_that_is_told_to_end_gives_back_what_it_cannot_finish(bench: RedisBench) -> None:
    content = png(300, 300)
    stuck = Inverter()
    stuck.go.clear()
    with bench.client() as client:
        with bench.worker(lambda *_, **__: stuck, drain_s=0.2):
            job = client.post(RESTORE, content=content, headers=ASYNC).json()["id"]
            wait_for_state(client, job, "running")
            time.sleep(0.3)
        view = client.get(f"/jobs/{job}").json()
        assert view["state"] == "queued"
        assert bench.server.client.hget(records.record(job), "attempt") == b"0"
        stuck.go.set()
        with bench.worker():  # no janitor is needed
            wait_for_state(client, job, "succeeded")


def test_blobs_of_no_job_are_swept(bench: RedisBench) -> None:
    with bench.client() as client, bench.worker():
        kept = client.post(RESTORE, content=png(), headers=ASYNC).json()["id"]
        wait_for_state(client, kept, "succeeded")
        for name in ("uploads/gone", "results/gone.1", f"results/{kept}.7", "tiles/gone/3", ".new/half"):
            (bench.blobs / name).parent.mkdir(parents=True, exist_ok=True)
            (bench.blobs / name).write_bytes(b"x")
        with bench.janitor(sweep_s=0.5):
            wait_for(lambda: len([path for path in bench.blobs.rglob("*") if path.is_file()]) == 1)
        assert client.get(f"/jobs/{kept}/result").status_code == 200


def test_a_worker_ends_after_the_jobs_it_may_do(bench: RedisBench) -> None:
    with bench.client() as client, bench.worker(recycle_jobs=2) as worker:
        for _ in range(2):
            assert client.post(RESTORE, content=png()).status_code == 200
        wait_for(worker._helper._stopping.is_set)


def test_a_worker_ends_after_its_memory_has_grown(bench: RedisBench, monkeypatch: pytest.MonkeyPatch) -> None:
    resident = [100]
    monkeypatch.setattr("service.jobs.recycling.resident_bytes", lambda: resident[0])
    with bench.client() as client, bench.worker(recycle_bytes=1000) as worker:
        assert client.post(RESTORE, content=png()).status_code == 200
        assert not worker._helper._stopping.is_set()
        resident[0] = 1101
        wait_for(worker._helper._stopping.is_set)


def test_a_worker_whose_network_hangs_ends_its_process(bench: RedisBench, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr("service.jobs.worker.os._exit", codes.append)
    bench.runner.go.clear()
    with bench.client() as client, bench.worker(stall_s=0.3):
        job = client.post(RESTORE, content=png(), headers=ASYNC).json()["id"]
        wait_for(lambda: codes)
        bench.runner.go.set()
        wait_for_state(client, job, "succeeded")
    assert set(codes) == {70}


def test_a_worker_that_lost_its_device_ends_before_it_fails_a_job(
    bench: RedisBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[tuple[int, str]] = []
    bench.runner.go.clear()
    bench.runner.error = DeviceLost("CUDA: cudaErrorIllegalAddress")
    with bench.client() as client, bench.worker():
        job = client.post(RESTORE, content=png(), headers=ASYNC).json()["id"]
        monkeypatch.setattr(
            "service.jobs.worker.os._exit",
            lambda code: states.append((code, client.get(f"/jobs/{job}").json()["state"])),
        )
        bench.runner.go.set()
        wait_for(lambda: states)
    assert states[0] == (70, "running")


def test_a_picture_that_two_workers_died_with_has_nothing_beside_it(bench: RedisBench) -> None:
    bench.runner.go.clear()
    with bench.client() as client, bench.worker() as worker:
        suspect, innocent = (client.post(RESTORE, content=png(), headers=ASYNC).json()["id"] for _ in range(2))
        wait_for(lambda: len(worker._attempts) == 2)
        bench.runner.go.set()
        for job in (suspect, innocent):
            wait_for_state(client, job, "succeeded")
    with bench.client() as client:
        suspect, innocent = (client.post(RESTORE, content=png(), headers=ASYNC).json()["id"] for _ in range(2))
        bench.server.client.hset(records.record(suspect), "attempt", 2)
        bench.runner.go.clear()
        with bench.worker() as worker:
            wait_for_state(client, suspect, "running")
            time.sleep(0.5)
            assert [attempt.job_id for attempt in worker._attempts] == [suspect]
            bench.runner.go.set()
            wait_for_state(client, innocent, "succeeded")


def test_heartbeats_from_before_redis_clock_was_set_back_are_no_sign_of_life(bench: RedisBench) -> None:
    redis, hour = bench.server.client, time.time() + 3600
    with bench.client() as client:
        job = client.post(RESTORE, content=png(), headers=ASYNC).json()["id"]
        queue = control.queues(redis)["small"]
        redis.delete(queue.key)
        redis.hset(records.record(job), mapping={"state": "running", "attempt": 1, "execution": f"{job}:dead"})
        redis.hset(records.record(job), "registry", control.started(queue).key)
        redis.zadd(control.started(queue).key, {f"{job}:dead": hour})
        redis.zadd(records.WORKERS, {"dead": hour})
        redis.set("unseam:janitor", "dead", ex=3600)
        with bench.janitor(), bench.worker():
            wait_for_state(client, job, "succeeded")
            assert redis.zscore(records.WORKERS, "dead") is None


def test_after_a_jump_of_redis_clock_workers_get_time_to_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = 100.0
    monkeypatch.setattr("service.jobs.janitor.time.monotonic", lambda: passed)
    clock, jump_s = _Clock(), 0.0
    quiet = []
    for tick in range(40):
        passed += 0.5
        jump_s = 3600.0 if tick >= 20 else 0.0
        clock.see(passed + jump_s)
        quiet.append(clock.quiet)
    assert quiet == [False] * 9 + [True] * 11 + [False] * 10 + [True] * 10
