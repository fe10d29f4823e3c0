"""What is left on the server by those who do not wait."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from fake_service import FakeService, problem, says

import unseam

Restore = Callable[..., unseam.Restored]
FULL_DISK = {"type": "urn:unseam:problem:storage-full", "status": 503, "detail": "The server's disk is full."}


def hangs(service: FakeService) -> Callable[[Any], object]:
    """Takes a picture and makes a job of it, and does not answer."""

    def script(handler: Any) -> None:
        service.take(handler.headers["Idempotency-Key"], handler.body())
        service.gone.wait(30)

    return script


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def cancelled(service: FakeService, when: Callable[[], object], times: int = 1) -> float:
    """Restore and cancel; returns the seconds from there to the end."""
    async with unseam.AsyncClient(service.url) as client:
        restoring = asyncio.create_task(client.restore(b"picture", task="derain"))
        while not when():
            await asyncio.sleep(0.01)
        start = time.monotonic()
        for _ in range(times):
            restoring.cancel()
            await asyncio.sleep(0.05)
        with pytest.raises(asyncio.CancelledError):
            await restoring
    return time.monotonic() - start


def test_whoever_is_interrupted_while_the_answer_to_the_picture_is_awaited_leaves_no_job(
    service: FakeService, request: pytest.FixtureRequest
) -> None:
    service.script("POST restore", hangs(service))
    # Who starts this in the background has it ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def interrupt() -> None:
        wait_for(lambda: service.present)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with unseam.Client(service.url) as client, pytest.raises(KeyboardInterrupt):
        client.restore(b"picture", task="derain")
    assert len(service.jobs) == 1
    assert not service.present


@pytest.mark.parametrize("times", [1, 2])
def test_whoever_is_cancelled_while_the_answer_to_the_picture_is_awaited_leaves_no_job(
    service: FakeService, times: int
) -> None:
    service.script("POST restore", hangs(service))
    asyncio.run(cancelled(service, lambda: service.present, times))
    assert len(service.jobs) == 1
    assert not service.present


def test_patience_that_ends_without_an_answer_leaves_no_job(service: FakeService, restore: Restore) -> None:
    def breaks(handler: Any) -> None:
        service.take(handler.headers["Idempotency-Key"], handler.body())
        handler.connection.shutdown(2)
        handler.close_connection = True

    service.script("POST restore", breaks)
    with pytest.raises(unseam.UnreachableError):
        restore(b"picture", {"patience_s": 0})
    assert len(service.jobs) == 1
    assert not service.present


def test_patience_that_ends_behind_a_proxy_leaves_no_job(service: FakeService, restore: Restore) -> None:
    def tires(handler: Any) -> None:
        service.take(handler.headers["Idempotency-Key"], handler.body())
        handler.answer(504, b"Gateway Timeout")

    service.script("POST restore", tires)
    with pytest.raises(unseam.ProblemError, match="answered 504"):
        restore(b"picture", {"patience_s": 0})
    assert not service.present


@pytest.mark.parametrize("refusal", [problem(422, "invalid-parameter"), says(404, "<h1>Not found</h1>")])
def test_a_refused_picture_is_not_sent_again_to_be_cancelled(
    service: FakeService, restore: Restore, refusal: Callable[[Any], object]
) -> None:
    service.script("POST restore", refusal)
    with pytest.raises(unseam.ProblemError):
        restore()
    assert service.asked == ["POST restore"]


def test_nobody_is_kept_by_a_server_that_hangs(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unseam.exchange.FAREWELL_S", 0.3)
    service.ready.clear()
    service.script("DELETE job", *[lambda _: service.gone.wait(30)] * 3)
    assert asyncio.run(cancelled(service, lambda: service.count("GET events"))) < 2
    assert service.count("DELETE job") == 1


def test_nobody_is_kept_by_a_server_that_hangs_while_waiting(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unseam.exchange.FAREWELL_S", 0.3)
    service.script("DELETE job", *[lambda _: service.gone.wait(30)] * 3)
    start = time.monotonic()
    with unseam.Client(service.url) as client:
        assert client.restore(b"picture", task="derain").content == b"erutcip"
    assert time.monotonic() - start < 2


def test_a_result_is_deleted_though_the_first_try_fails(service: FakeService, restore: Restore) -> None:
    service.script("DELETE job", says(502, "Bad Gateway"))
    assert restore(b"picture").content == b"erutcip"
    assert service.count("DELETE job") == 2
    assert not service.present


def test_a_job_that_failed_of_what_passes_is_made_again(
    service: FakeService, restore: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unseam.patience.FIRST_PAUSE_S", 0.05)
    service.error = dict(FULL_DISK)

    def mended(error: Exception, _: float) -> None:
        assert str(error) == "The server's disk is full."
        service.error = None

    assert restore(b"picture", {"on_wait": mended}).content == b"erutcip"
    assert service.count("POST restore") == 2
    assert len(service.jobs) == 1


def test_a_job_that_went_with_a_server_is_made_again(service: FakeService, restore: Restore) -> None:
    service.script("GET events", problem(404, "job-not-found"))
    assert restore(b"picture").content == b"erutcip"
    assert service.count("POST restore") == 2


def test_a_job_that_failed_for_good_is_not_made_again(service: FakeService, restore: Restore) -> None:
    service.error = {"type": "urn:unseam:problem:bad-image", "status": 422, "detail": "This PNG is damaged."}
    with pytest.raises(unseam.ProblemError, match="This PNG is damaged") as caught:
        restore()
    assert caught.value.job_id in service.jobs
    assert service.count("POST restore") == 1
    assert not service.present


def test_the_stream_of_events_is_closed_by_whoever_stops_looking(service: FakeService) -> None:
    def stop(_: unseam.Job) -> None:
        raise RuntimeError("seen enough")

    def stream(handler: Any) -> None:
        handler.connection.settimeout(10)
        handler.begin_events()
        assert handler.connection.recv(1) == b""
        service.gone.set()

    service.script("GET events", stream)
    with unseam.Client(service.url) as client:
        with pytest.raises(RuntimeError, match="seen enough"):
            client.restore(b"picture", task="derain", on_progress=stop)
        assert service.gone.wait(5)
    assert not service.present


def test_a_picture_of_several_pieces_arrives_as_it_is(service: FakeService, restore: Restore) -> None:
    content = bytes(range(256)) * 10_000  # 2.4 pieces
    assert restore(content).content == content[::-1]


def test_an_empty_file_is_sent_as_such(service: FakeService, restore: Restore) -> None:
    assert restore(b"").content == b""
