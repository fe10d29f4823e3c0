from __future__ import annotations

import asyncio
import errno
import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from service_bench import Bench, inverted, pixels, png, wait_for_state

import unseam


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "spool")


@pytest.fixture
def http(bench: Bench) -> Iterator[httpx.Client]:
    with bench.client() as http:
        yield http


@pytest.fixture
def client(http: httpx.Client) -> Iterator[unseam.Client]:
    with unseam.Client(str(http.base_url)) as client:
        yield client


def spooled(bench: Bench) -> list[Path]:
    return [path for path in bench.folder.rglob("*") if path.is_file() and path.name[0] != "."]


def test_a_picture_is_restored_with_its_progress_and_nothing_stays_on_the_server(
    bench: Bench, client: unseam.Client, tmp_path: Path
) -> None:
    bench.runner.seconds = 0.003
    rainy = tmp_path / "rainy.png"
    rainy.write_bytes(png(300, 200))
    seen: list[unseam.Job] = []
    restored = client.restore(rainy, task="derain", on_progress=seen.append)
    saved = restored.save(tmp_path / "clean.png")
    np.testing.assert_array_equal(pixels(saved.read_bytes()), inverted(rainy.read_bytes()))
    assert restored.media_type == "image/png"
    assert restored.job.result is not None
    assert restored.job.result.sha256 == hashlib.sha256(restored.content).hexdigest()
    assert len({job.tiles_done for job in seen}) > 2
    assert seen[-1].state == "succeeded"
    assert spooled(bench) == []


@pytest.mark.parametrize("kind", [unseam.Client, unseam.AsyncClient])
def test_a_service_that_is_away_for_a_moment_while_a_job_is_watched_is_asked_again(
    http: httpx.Client, kind: type[unseam.Client] | type[unseam.AsyncClient]
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if request.url.path.endswith("/events") and sum(path.endswith("/events") for path in asked) == 1:
            problem = {"title": "Not ready", "status": 503, "detail": "away", "kind": "not-ready"}
            return httpx.Response(503, json=problem, headers={"Content-Type": "application/problem+json"})
        real = http.request(request.method, request.url, content=request.content, headers=request.headers)
        return httpx.Response(
            real.status_code, content=real.content, headers={"Content-Type": real.headers["content-type"]}
        )

    async def restored() -> unseam.Restored:
        async with unseam.AsyncClient(str(http.base_url), transport=httpx.MockTransport(answer)) as client:
            return await client.restore(png(), task="derain")

    if kind is unseam.Client:
        with unseam.Client(str(http.base_url), transport=httpx.MockTransport(answer)) as client:
            content = client.restore(png(), task="derain").content
    else:
        content = asyncio.run(restored()).content
    np.testing.assert_array_equal(pixels(content), inverted(png()))


def test_bytes_and_open_files_are_taken_and_options_are_passed_on(client: unseam.Client, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    with (tmp_path / "a.png").open("rb") as file:
        assert client.restore(file, task="derain", format="webp").media_type == "image/webp"
    assert client.restore(png(), task="derain", format="jpeg", quality=50, model=None).media_type == "image/jpeg"


def test_a_problem_carries_the_services_words_and_facts(client: unseam.Client) -> None:
    with pytest.raises(unseam.ProblemError, match="No task 'derian'") as caught:
        client.restore(png(), task="derian")
    problem = caught.value
    assert (problem.kind, problem.status) == ("invalid-parameter", 422)
    assert problem.facts["allowed"] == ["derain"]
    assert len(problem.request_id) == 32


def test_a_job_that_fails_raises_its_reason(bench: Bench, client: unseam.Client) -> None:
    with pytest.raises(unseam.ProblemError, match="damaged or cut short"):
        client.restore(png(200, 200)[:5000], task="derain")
    assert spooled(bench) == []


def test_a_picture_that_met_a_full_disk_is_restored_once_there_is_room(bench: Bench, http: httpx.Client) -> None:
    def make_room(error: Exception, _: float) -> None:
        assert "disk is full" in str(error)
        bench.runner.error = None

    bench.runner.error = OSError(errno.ENOSPC, "No space left on device")
    with unseam.Client(str(http.base_url), on_wait=make_room) as client:
        restored = client.restore(png(), task="derain")
    np.testing.assert_array_equal(pixels(restored.content), inverted(png()))
    assert spooled(bench) == []


def test_a_full_service_is_asked_again(bench: Bench) -> None:
    bench.runner.go.clear()
    with bench.client(max_backlog_tile_units=1) as http, unseam.Client(str(http.base_url)) as client:
        first = client.submit(png(150, 150), task="derain")
        threading.Timer(0.3, bench.runner.go.set).start()
        second = client.restore(png(150, 150, seed=2), task="derain")
        assert client.job(first.id).state == "succeeded"
        assert second.job.state == "succeeded"
        client.cancel(first.id)


def test_an_impatient_client_says_that_the_service_is_full(bench: Bench) -> None:
    bench.runner.go.clear()
    with bench.client(max_backlog_tile_units=1) as http, unseam.Client(str(http.base_url), patience_s=0) as client:
        job = client.submit(png(150, 150), task="derain")
        with pytest.raises(unseam.ProblemError) as caught:
            client.submit(png(150, 150, seed=2), task="derain")
        client.cancel(job.id)
    assert caught.value.kind == "overloaded"
    assert caught.value.retry_after_s is not None


def test_a_request_that_broke_is_sent_again_and_is_still_one_job(http: httpx.Client) -> None:
    class Breaking(httpx.BaseTransport):
        """Delivers every request; loses the answers to the first two of each kind."""

        def __init__(self) -> None:
            self.inner, self.broken, self.jobs = httpx.HTTPTransport(), {}, set()

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = self.inner.handle_request(request)
            kind = request.method, request.url.path.split("/")[-1]
            self.broken[kind] = self.broken.get(kind, 0) + 1
            if request.method == "POST":
                answer.read()
                self.jobs.add(answer.json()["id"])
            if self.broken[kind] <= 2:
                answer.close()
                raise httpx.ReadError("connection reset")
            return answer

        def close(self) -> None:
            self.inner.close()

    transport = Breaking()
    content = png(100, 80)
    with unseam.Client(str(http.base_url), transport=transport) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr("unseam.patience.FIRST_PAUSE_S", 0.01)
        restored = client.restore(content, task="derain")
    np.testing.assert_array_equal(pixels(restored.content), inverted(content))
    assert len(transport.jobs) == 1
    assert transport.broken["POST", "restore"] == 3


@pytest.mark.parametrize("kind", [unseam.Client, unseam.AsyncClient])
@pytest.mark.parametrize("url", ["localhost:8000", "127.0.0.1", "ftp://host", "http://", "http://host:port"])
def test_an_address_that_names_no_service_is_refused_at_once(url: str, kind: type) -> None:
    with pytest.raises(unseam.InvalidAddress, match="begins with http:// or https://"):
        kind(url)


def test_a_service_that_is_not_there_is_unreachable() -> None:
    refused = pytest.raises(unseam.UnreachableError, match=r"http://127\.0\.0\.1:9 cannot be reached")
    with unseam.Client("http://127.0.0.1:9", patience_s=0) as client, refused:
        client.tasks()


def test_something_else_at_the_address_is_no_riddle() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(404, text="<h1>It works!</h1>"))
    refused = pytest.raises(unseam.ProblemError, match="answered 404 Not Found, not as unseam does")
    with unseam.Client("http://example.test", transport=transport) as client, refused:
        client.tasks()


def test_a_key_is_sent(bench: Bench) -> None:
    hashes = (hashlib.sha256(b"mine").hexdigest(),)
    with bench.client(api_keys=hashes) as http:
        address = str(http.base_url)
        with unseam.Client(address, key="mine") as client:
            assert client.restore(png(), task="derain").media_type == "image/png"
        with unseam.Client(address) as client, pytest.raises(unseam.ProblemError) as caught:
            client.restore(png(), task="derain")
    assert caught.value.kind == "unauthorized"


def test_interrupting_cancels_the_job(bench: Bench, http: httpx.Client, client: unseam.Client) -> None:
    def interrupt(job: unseam.Job) -> None:
        jobs.append(job.id)
        if job.tiles_done:
            raise KeyboardInterrupt

    jobs: list[str] = []
    bench.runner.seconds = 0.01
    with pytest.raises(KeyboardInterrupt):
        client.restore(png(400, 400), task="derain", on_progress=interrupt)
    assert wait_for_state(http, jobs[0], "cancelled")


def test_tasks_and_models_are_listed(client: unseam.Client) -> None:
    assert [task["task"] for task in client.tasks()] == ["derain"]
    assert [model["name"] for model in client.models()] == ["inverter"]


def test_the_asynchronous_client_does_many_at_once(bench: Bench, http: httpx.Client) -> None:
    pictures = [png(120, 90, seed) for seed in range(4)]

    async def restore_all() -> list[unseam.Restored]:
        async with unseam.AsyncClient(str(http.base_url)) as client:
            assert [task["task"] for task in await client.tasks()] == ["derain"]
            assert [model["name"] for model in await client.models()] == ["inverter"]
            with pytest.raises(unseam.ProblemError, match="text, not a picture"):
                await client.restore(b"Dear Sir or Madam", task="derain")
            return await asyncio.gather(*(client.restore(content, task="derain") for content in pictures))

    for restored, content in zip(asyncio.run(restore_all()), pictures, strict=True):
        np.testing.assert_array_equal(pixels(restored.content), inverted(content))
    assert spooled(bench) == []


def test_cancelling_the_coroutine_cancels_the_job(bench: Bench, http: httpx.Client) -> None:
    jobs: list[str] = []
    bench.runner.seconds = 0.01

    async def give_up() -> None:
        async with unseam.AsyncClient(str(http.base_url)) as client:
            restoring = asyncio.create_task(
                client.restore(png(400, 400), task="derain", on_progress=lambda job: jobs.append(job.id))
            )
            while not jobs:
                await asyncio.sleep(0.005)
            restoring.cancel()
            with pytest.raises(asyncio.CancelledError):
                await restoring

    asyncio.run(give_up())
    assert wait_for_state(http, jobs[0], "cancelled")
