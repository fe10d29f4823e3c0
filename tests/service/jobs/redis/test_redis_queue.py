from __future__ import annotations

import asyncio
import errno
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
import redis
from redis_bench import RedisBench, RedisServer
from service_bench import Bench, inverted, manifest, pixels, png, wait_for, wait_for_state

from service.catalogue import Artifact, Catalogue
from service.jobs import connection, control, records

RESTORE = "/restore?task=derain"
ASYNC = {"Prefer": "respond-async"}


def submitted(client: httpx.Client, content: bytes, **headers: str) -> str:
    answer = client.post(RESTORE, content=content, headers=ASYNC | headers)
    assert answer.status_code == 202, answer.text
    job: str = answer.json()["id"]
    return job


def test_a_picture_goes_through_redis_and_a_worker_and_leaves_nothing(bench: RedisBench) -> None:
    content = png(200, 100)
    with bench.client(record_ttl_s=0.1, result_ttl_s=0.1) as client, bench.worker(record_ttl_s=0.1, result_ttl_s=0.1):
        answer = client.post(RESTORE, content=content)
        assert answer.status_code == 200, answer.text
        np.testing.assert_array_equal(pixels(answer.content), inverted(content))
        assert answer.headers["server-timing"].startswith("queue;dur=")
    wait_for(lambda: not bench.left_behind())


def test_a_job_waits_in_redis_until_a_worker_comes(bench: RedisBench) -> None:
    with bench.client() as client:
        assert client.get("/readyz").status_code == 503
        first, second = submitted(client, png()), submitted(client, png(300, 200))
        assert client.get(f"/jobs/{first}").json()["position"] == 0
        view = client.get(f"/jobs/{second}").json()
        assert (view["state"], view["position"]) == ("queued", 1)
        assert view["estimate_s"] > 0
        with bench.worker():
            wait_for(lambda: client.get("/readyz").status_code == 200)
            view = wait_for_state(client, second, "succeeded")
            assert view["tiles_done"] == view["tiles_total"] > 1
            assert set(view["stages_s"]) >= {"queue", "decode", "infer", "encode"}


def test_a_worker_without_a_jobs_network_leaves_it_to_one_that_has_it(bench: RedisBench) -> None:
    older = RedisBench(bench.folder.parent / "older", bench.server)
    older.blobs = bench.blobs
    older.catalogue = Catalogue([Artifact(bench.folder, manifest(name="former"))])
    with bench.client() as client, older.worker():
        job = submitted(client, png())
        cancelled = submitted(client, png(seed=2))
        for seed in range(20):
            submitted(client, png(seed=seed))
        time.sleep(2)
        assert client.get(f"/jobs/{job}").json()["state"] == "queued"
        client.delete(f"/jobs/{cancelled}")
        with bench.worker():
            start = time.monotonic()
            assert client.post(RESTORE, content=png()).status_code == 200
            assert time.monotonic() - start < 5, "a worker dwells on jobs that are not for it"
            wait_for_state(client, job, "succeeded")
        assert client.get(f"/jobs/{cancelled}").json()["state"] == "cancelled"
    assert older.runner.tiles == 0
    assert not bench.server.client.zcard("rq:wip:unseam")


def test_jobs_that_are_left_to_others_do_not_hide_large_pictures(bench: RedisBench) -> None:
    newer = RedisBench(bench.folder.parent / "newer", bench.server)
    newer.blobs = bench.blobs
    newer.catalogue = Catalogue([Artifact(bench.folder, manifest(name="newer"))])
    large = {"large_tile_units": 0.25}
    with bench.client(**large) as client, newer.client(**large) as other:
        waits = submitted(other, png())
        with bench.worker(**large):
            wait_for_state(client, submitted(client, png(300, 300)), "succeeded")
        assert other.get(f"/jobs/{waits}").json()["state"] == "queued"


def test_two_api_processes_are_one_service(bench: RedisBench) -> None:
    other = RedisBench(bench.folder.parent / "other", bench.server)
    other.blobs = bench.blobs
    with bench.client() as here, other.client() as there, bench.worker():
        bench.runner.seconds = 0.01
        job = submitted(here, png(300, 300))
        with there.stream("GET", f"/jobs/{job}/events") as stream:
            events = [line for line in stream.iter_lines() if line.startswith("event")]
        assert events[-1] == "event: end"
        assert len(events) > 3
        assert there.get(f"/jobs/{job}/result").content == here.get(f"/jobs/{job}/result").content


def test_a_key_makes_one_job_and_is_refused_for_another_picture(bench: RedisBench) -> None:
    with bench.client() as client, bench.worker():
        jobs = {submitted(client, png(), **{"Idempotency-Key": "k"}) for _ in range(3)}
        assert len(jobs) == 1
        other = client.post(RESTORE, content=png(seed=2), headers={"Idempotency-Key": "k"})
        assert other.status_code == 422
        client.delete(f"/jobs/{jobs.pop()}")
        assert client.post(RESTORE, content=png(seed=2), headers={"Idempotency-Key": "k"}).status_code == 200
    assert not list(bench.blobs.rglob("uploads/*"))


def test_after_a_failure_that_passes_the_same_key_tries_again(bench: RedisBench) -> None:
    headers = {"Idempotency-Key": "k"}
    with bench.client() as client, bench.worker():
        bench.runner.error = OSError(errno.ENOSPC, "No space left on device")
        failed = client.post(RESTORE, content=png(), headers=headers)
        assert (failed.status_code, failed.headers["retry-after"]) == (503, "10")
        bench.runner.error = None
        again = client.post(RESTORE, content=png(), headers=headers)
        np.testing.assert_array_equal(pixels(again.content), inverted(png()))
        assert client.post(RESTORE, content=png(seed=2), headers=headers).status_code == 422
        assert 0 < bench.server.client.ttl(records.idempotency_key("", "k")) <= 3600


def test_one_key_sent_to_two_apis_at_once_makes_one_job(bench: RedisBench) -> None:
    other = RedisBench(bench.folder.parent / "other", bench.server)
    other.blobs = bench.blobs
    with bench.client() as here, other.client() as there, ThreadPoolExecutor(8) as threads:
        jobs = set(threads.map(lambda n: submitted((here, there)[n % 2], png(), **{"Idempotency-Key": "k"}), range(16)))
    assert len(jobs) == 1
    assert len(list(bench.blobs.rglob("uploads/*"))) == 1


def test_clients_that_wait_hold_no_thread(bench: RedisBench) -> None:
    async def wait_together(address: str, count: int) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=address, timeout=300, limits=limits) as client:
            waiting = [asyncio.create_task(client.post(RESTORE, content=png(seed=n))) for n in range(count)]
            await asyncio.to_thread(wait_for, lambda: bench.server.client.zcard(records.UNFINISHED) == count, 150)
            threads.append(threading.active_count())
            bench.runner.go.set()
            return await asyncio.gather(*waiting)

    threads: list[int] = []
    with bench.client() as client, bench.worker():
        bench.runner.go.clear()
        before = threading.active_count()
        answers = asyncio.run(wait_together(str(client.base_url), 120))
    assert {answer.status_code for answer in answers} == {200}
    assert threads[0] - before < 90  # two pools for files, of 40 and up to 32


def test_a_queued_job_is_cancelled_and_never_started(bench: RedisBench) -> None:
    with bench.client() as client:
        job = submitted(client, png())
        assert client.delete(f"/jobs/{job}").json()["state"] == "cancelled"
        with bench.worker():
            assert client.post(RESTORE, content=png()).status_code == 200
        view = client.get(f"/jobs/{job}").json()
        assert (view["state"], view["started_at"]) == ("cancelled", None)


def test_a_running_job_is_cancelled_between_batches(bench: RedisBench) -> None:
    with bench.client() as client, bench.worker() as worker:
        bench.runner.seconds = 0.05
        job = submitted(client, png(400, 400))
        wait_for_state(client, job, "running")
        client.delete(f"/jobs/{job}")
        wait_for(lambda: not len(worker._attempts))
        assert bench.runner.tiles < 80
        assert client.get(f"/jobs/{job}").json()["state"] == "cancelled"
    assert not list(bench.blobs.rglob("*/*"))


def test_rqs_stop_command_cancels_too(bench: RedisBench) -> None:
    with bench.client() as client, bench.worker() as worker:
        bench.runner.seconds = 0.02
        job = submitted(client, png(400, 400))
        wait_for_state(client, job, "running")
        worker.handle_payload({"data": f'{{"command": "stop-job", "job_id": "{job}"}}'.encode()})
        wait_for_state(client, job, "cancelled")


def test_a_damaged_picture_fails_with_its_error(bench: RedisBench) -> None:
    with bench.client() as client, bench.worker():
        answer = client.post(RESTORE, content=png(200, 200)[:5000])
        assert answer.status_code == 422


def test_an_expired_result_is_gone_and_then_the_record(bench: RedisBench) -> None:
    times = {"result_ttl_s": 1.0, "record_ttl_s": 3.0}
    with bench.client(**times) as client, bench.worker(**times), bench.janitor(**times):
        job = submitted(client, png())
        wait_for_state(client, job, "succeeded")
        seen = []
        while not seen or seen[-1] != 404:
            seen.append(client.get(f"/jobs/{job}/result").status_code)
            time.sleep(0.05)
        assert list(dict.fromkeys(seen)) == [200, 410, 404]
    wait_for(lambda: not bench.left_behind())


def test_shedding_is_by_cost_and_says_when_to_come_back(bench: RedisBench) -> None:
    with bench.client(max_backlog_tile_units=3) as client:
        submitted(client, png(240, 240))
        refused = client.post(RESTORE, content=png(240, 240), headers=ASYNC)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 4  # 1 s for each unit as long as nothing was measured
        assert refused.json()["backlog_tile_units"] == pytest.approx(1.6, abs=0.1)
        with bench.worker():
            wait_for(lambda: client.post(RESTORE, content=png(240, 240), headers=ASYNC).status_code == 202)
    assert len(list(bench.blobs.rglob("uploads/*"))) <= 1


def test_room_for_uploads_and_results_is_bounded(bench: RedisBench) -> None:
    content = png(100, 100)
    with bench.client(max_body_bytes=40_000, max_spool_bytes=50_000) as client, bench.worker():
        job = submitted(client, content)
        wait_for_state(client, job, "succeeded")
        refused = client.post(RESTORE, content=content)
        assert refused.json()["type"] == "urn:unseam:problem:storage-full"
        assert 3500 < int(refused.headers["retry-after"]) <= 3600
        client.delete(f"/jobs/{job}")
        assert client.post(RESTORE, content=content).status_code == 200


def test_ten_thousand_queued_jobs_do_not_slow_the_answers(bench: RedisBench) -> None:
    with bench.client(max_backlog_tile_units=10**6) as client:
        job = submitted(client, png())
        redis = bench.server.client
        fields = redis.hgetall(records.record(job))
        template = records.parse(job, fields).order
        submit = records.script(redis, "submit")
        with redis.pipeline(transaction=False) as commands:
            for number in range(10_000):
                arguments = records.submission(f"{number:032x}", template, max_cost_units=10**6, max_bytes=10**12)
                submit(args=arguments, client=commands)
            commands.execute()
        queue = control.queues(redis)["small"]
        queue.enqueue_many(
            [queue.prepare_data(control.RESTORE, (f"{n:032x}",), job_id=f"{n:032x}") for n in range(2000)]
        )

        def took(ask: Callable[[], object]) -> float:
            start = time.perf_counter()
            ask()
            return time.perf_counter() - start

        for number in (0, 5000, 9999):
            assert client.get(f"/jobs/{number:032x}").json()["position"] == number + 1
        last = submitted(client, png())
        assert client.get(f"/jobs/{last}").json()["position"] == 10_001
        for ask in (
            lambda: client.get(f"/jobs/{9999:032x}"),
            lambda: submitted(client, png()),
            lambda: client.get("/healthz"),
        ):
            assert min(took(ask) for _ in range(5)) < 0.2  # milliseconds on a quiet machine


def test_a_job_of_which_nobody_else_knows_leaves_no_record_for_long(bench: RedisBench) -> None:
    with bench.client() as client, bench.worker():
        assert client.post(RESTORE, content=png()).status_code == 200
        (record,) = bench.server.client.scan_iter("unseam:job:*")
        wait_for(lambda: 0 < bench.server.client.ttl(record) <= 60)
        named = submitted(client, png())
        wait_for_state(client, named, "succeeded")
        assert bench.server.client.ttl(records.record(named)) > 3600


def test_a_client_that_still_waits_when_an_api_stops_is_shown_where_its_job_is(bench: RedisBench) -> None:
    answers = []
    with bench.client() as stays:
        with bench.client(drain_s=0.1) as stops:
            waiting = threading.Thread(
                target=lambda: answers.append(httpx.post(f"{stops.base_url}{RESTORE}", content=png()))
            )
            waiting.start()
            wait_for(lambda: bench.server.client.zcard(records.UNFINISHED))
        waiting.join(60)
        assert answers[0].status_code == 202
        with bench.worker():
            wait_for_state(stays, answers[0].headers["location"].removeprefix("/jobs/"), "succeeded")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("maxmemory", "1"), ("min-replicas-to-write", "1"), ("save", "3600 1")],
    ids=["no room", "no replica", "no disk"],
)
def test_a_redis_that_takes_no_writes_is_waited_for(bench: RedisBench, setting: str, value: str) -> None:
    content, server = png(200, 100), bench.server.client
    (bench.server.folder / "dump.rdb").mkdir(exist_ok=True)  # no snapshot can be put there: as if the disk were full
    server.bgsave()
    wait_for(lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err")
    with bench.client() as client, bench.worker() as worker, bench.janitor():
        bench.runner.go.clear()
        job = submitted(client, content)
        wait_for_state(client, job, "running")
        before = server.config_get(setting)[setting]
        server.config_set(setting, value)
        try:
            bench.runner.go.set()
            assert client.post(RESTORE, content=content).status_code == 503
            assert "unseam_rejected_total" in client.get("/metrics").text
            time.sleep(2)
        finally:
            server.config_set(setting, before)
        wait_for_state(client, job, "succeeded")
        assert client.post(RESTORE, content=content).status_code == 200
        assert not len(worker._attempts)


def test_a_transaction_that_is_refused_at_its_end_counts_as_unreachable(bench: RedisBench) -> None:
    with redis.Redis(port=bench.server.port, single_connection_client=True) as client:
        client.execute_command("MULTI")
        client.set("unseam:pace", 1)
        bench.server.client.config_set("min-replicas-to-write", 1)
        try:
            with pytest.raises(connection.UNREACHABLE, match="NOREPLICAS"):
                client.execute_command("EXEC")
        finally:
            bench.server.client.config_set("min-replicas-to-write", 0)


def test_a_cluster_is_refused_by_name(bench: RedisBench, tmp_path_factory: pytest.TempPathFactory) -> None:
    cluster = RedisServer(tmp_path_factory.mktemp("cluster"), "--cluster-enabled", "yes")
    cluster.start()
    try:
        with pytest.raises(connection.InvalidAddress, match="Redis Cluster, which is not supported"):
            connection.refuse_cluster(cluster.client)
    finally:
        cluster.stop()


def test_while_redis_is_away_waiting_clients_wait_and_others_are_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = RedisServer(tmp_path_factory.mktemp("away"))
    server.start()
    bench = RedisBench(tmp_path_factory.mktemp("bench"), server)
    answers: list[httpx.Response] = []
    content = png(300, 300)
    try:
        with bench.client() as client, bench.worker(), bench.janitor():
            bench.runner.go.clear()
            waiting = threading.Thread(target=lambda: answers.append(client.post(RESTORE, content=content)))
            waiting.start()
            wait_for(lambda: server.client.zcard("unseam:unfinished") and server.client.zcard("rq:wip:unseam"))
            server.kill()
            refused = client.post(RESTORE, content=png())
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert client.get("/healthz").status_code == 200
            bench.runner.go.set()  # the picture is finished while Redis is away
            time.sleep(1)
            server.start()
            waiting.join(60)
            assert answers[0].status_code == 200
            np.testing.assert_array_equal(pixels(answers[0].content), inverted(content))
    finally:
        server.stop()


def test_who_watches_a_waiting_job_goes_on_watching_while_redis_is_away(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.jobs.REFRESH_S", 0.05)
    server = RedisServer(tmp_path_factory.mktemp("away"))
    server.start()
    bench = RedisBench(tmp_path_factory.mktemp("bench"), server)
    try:
        with bench.client() as client:
            job = submitted(client, png())
            with client.stream("GET", f"/jobs/{job}/events") as stream:
                lines = (line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: "))
                views = (json.loads(line) for line in lines)
                assert next(views)["position"] == 0
                server.kill()
                while next(views)["position"] is not None:
                    pass
                server.start()
                with bench.worker():
                    assert [view["state"] for view in views][-1] == "succeeded"
    finally:
        server.stop()


def test_the_embedded_queue_needs_no_redis(tmp_path_factory: pytest.TempPathFactory) -> None:
    bench = Bench(tmp_path_factory.mktemp("embedded"))
    with bench.client() as client:
        assert client.post(RESTORE, content=png()).status_code == 200
