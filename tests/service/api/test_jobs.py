from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import httpx
import numpy as np
import pytest
from service_bench import Bench, inverted, pixels, png, served, wait_for, wait_for_state

from service.api.dependencies import Parts, visible_job
from service.jobs.job import Job, State

RESTORE = "/restore?task=derain"
ASYNC = {"Prefer": "respond-async"}


def submitted(client: httpx.Client, content: bytes, **headers: str) -> str:
    job: str = client.post(RESTORE, content=content, headers=ASYNC | headers).json()["id"]
    return job


def test_a_waiting_job_says_its_position_and_estimate(bench: Bench, client: httpx.Client) -> None:
    bench.runner.go.clear()
    first, second = submitted(client, png()), submitted(client, png(300, 200))
    wait_for_state(client, first, "running")
    view = client.get(f"/jobs/{second}").json()
    assert view["position"] == 1
    assert view["estimate_s"] > 0
    assert view["tiles_total"] > view["tiles_done"] == 0


def test_a_finished_job_says_what_came_out(shared_client: httpx.Client) -> None:
    view = wait_for_state(shared_client, submitted(shared_client, png(300, 200)), "succeeded")
    assert view["tiles_done"] == view["tiles_total"]
    assert view["result"]["media_type"] == "image/png"
    assert (view["result"]["width"], view["result"]["height"]) == (300, 200)
    assert view["position"] is None


def test_a_result_has_an_etag_and_can_be_fetched_in_parts(shared_client: httpx.Client) -> None:
    content = png(200, 100)
    job = submitted(shared_client, content)
    wait_for_state(shared_client, job, "succeeded")
    address = f"/jobs/{job}/result"
    whole = shared_client.get(address)
    np.testing.assert_array_equal(pixels(whole.content), inverted(content))
    etag = whole.headers["etag"]
    assert etag == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    part = shared_client.get(address, headers={"Range": "bytes=10-19", "If-Range": etag})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    known = [("If-None-Match", '"other"'), ("If-None-Match", etag)]
    assert shared_client.get(address, headers=known).status_code == 304
    assert shared_client.head(address).headers["content-length"] == str(len(whole.content))
    for other in ("items=0-1", "bytes=abc"):
        ignored = shared_client.get(address, headers={"Range": other})
        assert (ignored.status_code, ignored.content) == (200, whole.content)
    beyond = shared_client.get(address, headers={"Range": f"bytes={len(whole.content)}-"})
    assert beyond.status_code == beyond.json()["status"] == 416


def test_a_job_that_ends_while_its_result_is_asked_for_has_one(bench: Bench) -> None:
    app = bench.app()
    with served(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        job = submitted(client, png())
        wait_for_state(client, job, "succeeded")

        async def as_it_stood(parts: Parts) -> Job:
            return replace(await parts.queue.get(job), state=State.RUNNING, result=None)

        app.dependency_overrides[visible_job] = as_it_stood
        assert client.get(f"/jobs/{job}/result").status_code == 200
        wait_for(lambda: not list(bench.folder.rglob("*.lent")))


def test_an_unfinished_job_has_no_result_yet(bench: Bench, client: httpx.Client) -> None:
    bench.runner.go.clear()
    answer = client.get(f"/jobs/{submitted(client, png())}/result")
    assert answer.status_code == 409


def test_an_expired_result_is_gone_and_its_file_too(bench: Bench) -> None:
    with bench.client(result_ttl_s=0.2) as client:
        job = submitted(client, png())
        wait_for_state(client, job, "succeeded")
        while (answer := client.get(f"/jobs/{job}/result")).status_code == 200:
            pass
        assert answer.status_code == 410
        assert not list(bench.folder.glob(f"*/{job}*"))
        assert client.get(f"/jobs/{job}").json()["result"] is None


def test_a_running_job_is_cancelled_between_tiles(bench: Bench, client: httpx.Client) -> None:
    bench.runner.go.clear()
    job = submitted(client, png(400, 400))
    wait_for_state(client, job, "running")
    assert client.delete(f"/jobs/{job}").json()["state"] == "cancelled"
    bench.runner.go.set()
    assert client.post(RESTORE, content=png()).status_code == 200  # the thread is free again
    assert client.get(f"/jobs/{job}").json()["state"] == "cancelled"
    assert client.get(f"/jobs/{job}/result").status_code == 409
    assert client.delete(f"/jobs/{job}").status_code == 200


def test_a_queued_job_is_cancelled_without_being_done(bench: Bench, client: httpx.Client) -> None:
    bench.runner.go.clear()
    jobs = [submitted(client, png()) for _ in range(5)]
    client.delete(f"/jobs/{jobs[-1]}")
    bench.runner.go.set()
    wait_for_state(client, jobs[-2], "succeeded")
    assert client.get(f"/jobs/{jobs[-1]}").json()["started_at"] is None


def test_deleting_a_finished_job_deletes_its_result(bench: Bench, client: httpx.Client) -> None:
    job = submitted(client, png())
    wait_for_state(client, job, "succeeded")
    client.delete(f"/jobs/{job}")
    assert client.get(f"/jobs/{job}/result").status_code == 410
    assert not list(bench.folder.glob("*/*.result"))


def test_a_failed_job_answers_with_its_error(shared_client: httpx.Client) -> None:
    job = submitted(shared_client, png(200, 200)[:5000])
    view = wait_for_state(shared_client, job, "failed")
    answer = shared_client.get(f"/jobs/{job}/result")
    assert answer.status_code == view["error"]["status"] == 422
    assert answer.json()["detail"] == view["error"]["detail"]


def test_events_tell_progress_and_then_the_end(bench: Bench, client: httpx.Client) -> None:
    bench.runner.seconds = 0.005
    job = submitted(client, png(300, 300))
    with client.stream("GET", f"/jobs/{job}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in stream.iter_lines() if line]
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    views = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    done = [view["tiles_done"] for view in views]
    assert names == ["progress"] * (len(names) - 1) + ["end"]
    assert len(set(done)) > 3
    assert done == sorted(done)
    assert views[-1]["state"] == "succeeded"


def test_events_of_a_queued_job_tell_its_position_anew(
    bench: Bench, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.jobs.REFRESH_S", 0.05)
    bench.runner.go.clear()
    *before, last = (submitted(client, png()) for _ in range(5))
    with client.stream("GET", f"/jobs/{last}/events") as stream:
        views = (json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: "))
        assert next(views)["position"] == 4
        client.delete(f"/jobs/{before[-1]}")
        while (view := next(views))["position"] == 4:
            pass
        assert (view["state"], view["position"]) == ("queued", 3)
        bench.runner.go.set()
        assert [view["state"] for view in views][-1] == "succeeded"


def test_the_head_of_a_running_jobs_events_does_not_wait_for_its_end(bench: Bench, client: httpx.Client) -> None:
    bench.runner.go.clear()
    job = submitted(client, png())
    for address, kind in (("", "application/json"), ("/events", "text/event-stream")):
        head = client.head(f"/jobs/{job}{address}", timeout=5)
        assert (head.status_code, head.headers["content-type"].partition(";")[0]) == (200, kind)
    assert client.head("/jobs/nothing/events").status_code == 404


def test_events_of_a_job_that_is_not_there_are_not_found(shared_client: httpx.Client) -> None:
    answer = shared_client.get("/jobs/nothing/events")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_job_is_visible_only_to_the_key_that_made_it(bench: Bench) -> None:
    mine, theirs = ({"Authorization": f"Bearer {key}"} for key in ("mine", "theirs"))
    hashes = tuple(hashlib.sha256(key).hexdigest() for key in (b"mine", b"theirs"))
    with bench.client(api_keys=hashes) as client:
        unknown = client.post(RESTORE, content=png(), headers={"Authorization": "Bearer other"})
        missing = client.post(RESTORE, content=png())
        assert unknown.status_code == missing.status_code == 401
        assert missing.headers["www-authenticate"].startswith("Bearer")
        job = client.post(RESTORE, content=png(), headers=ASYNC | mine).json()["id"]
        for method, address in (("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", "")):
            assert client.request(method, f"/jobs/{job}{address}", headers=theirs).status_code == 404
        assert client.get(f"/jobs/{job}", headers=mine).status_code == 200


def test_two_keys_may_use_the_same_idempotency_key(bench: Bench) -> None:
    hashes = tuple(hashlib.sha256(key).hexdigest() for key in (b"mine", b"theirs"))
    with bench.client(api_keys=hashes) as client:
        jobs = {
            submitted(client, png(), **{"Authorization": f"Bearer {key}", "Idempotency-Key": "k"})
            for key in ("mine", "theirs")
        }
    assert len(jobs) == 2
