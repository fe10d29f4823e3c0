from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from fake_service import FakeService, problem, says

import unseam
from unseam.patience import PATIENCE_S, Patience, passes, unreachable

Restore = Callable[..., unseam.Restored]


@pytest.fixture
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unseam.patience.FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("unseam.patience.LONGEST_PAUSE_S", 0.02)


@pytest.mark.usefixtures("_brief")
@pytest.mark.parametrize("asked", ["POST restore", "GET events", "GET result"])
def test_whatever_passes_is_waited_for_at_every_step(service: FakeService, restore: Restore, asked: str) -> None:
    service.script(
        asked, says(502, "Bad Gateway"), says(504, ""), problem(429, "overloaded"), problem(503, "not-ready")
    )
    waited: list[int] = []
    client = {"on_wait": lambda error, pause_s: waited.append(error.status)}
    assert restore(b"picture", client).content == b"erutcip"
    assert waited == [502, 504, 429, 503]
    assert len(service.jobs) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 409, 500, 501])
def test_what_does_not_pass_is_not_waited_for(service: FakeService, restore: Restore, status: int) -> None:
    service.script("POST restore", says(status, "no"))
    with pytest.raises(unseam.ProblemError):
        restore()
    assert service.count("POST restore") == 1


@pytest.mark.usefixtures("_brief")
def test_patience_begins_with_the_first_failure_and_not_with_the_request(
    service: FakeService, restore: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unseam.exchange.TIMEOUT", httpx.Timeout(0.5))
    service.script("POST restore", lambda _: service.gone.wait(5))
    assert restore(b"picture", {"patience_s": 0.5}).content == b"erutcip"
    assert service.count("POST restore") == 2


def test_the_pause_that_the_service_asks_for_itself_is_within_a_clients_patience() -> None:
    service_says = unseam.ProblemError("", kind="not-ready", status=503)
    service_says.retry_after_s = 60
    assert 60 <= Patience(PATIENCE_S).spend(service_says) < 62


def test_a_pause_longer_than_patience_is_not_begun(service: FakeService, restore: Restore) -> None:
    service.script("POST restore", problem(429, "overloaded", Retry_After="301"))
    with pytest.raises(unseam.ProblemError, match="It is overloaded") as caught:
        restore()
    assert caught.value.retry_after_s == 301


def test_a_pause_may_be_given_as_a_date(service: FakeService) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    service.script("GET tasks", *(problem(503, "not-ready", Retry_After=when) for when in (soon, "soon", "²")))
    found = []
    with unseam.Client(service.url) as client:
        for _ in range(3):
            with pytest.raises(unseam.ProblemError) as caught:
                client.tasks()
            found.append(caught.value.retry_after_s)
    assert found == [pytest.approx(90, abs=3), None, None]


def test_clients_do_not_all_come_back_at_the_same_time() -> None:
    busy = unseam.ProblemError("", kind="overloaded", status=429)
    pauses = {Patience(10).spend(busy) for _ in range(20)}
    assert len(pauses) > 10
    assert min(pauses) >= 0.25
    assert max(pauses) <= 0.5


def test_a_success_gives_all_patience_back() -> None:
    patience = Patience(0.6)
    busy = unseam.ProblemError("", kind="overloaded", status=429)
    patience.spend(busy)
    with pytest.raises(unseam.ProblemError):
        patience.spend(busy)
    patience.restore()
    assert patience.spend(busy)


def test_a_server_without_tls_is_told_at_once(service: FakeService) -> None:
    start = time.monotonic()
    with unseam.Client(service.url.replace("http", "https")) as client, pytest.raises(unseam.UnreachableError):
        client.submit(b"x", task="derain")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), True),
        (ssl.SSLCertVerificationError("self-signed certificate"), False),
        (ssl.SSLEOFError("closed"), True),
        (ConnectionRefusedError(), True),
    ],
)
def test_a_host_that_there_is_not_is_told_from_one_that_is_away(cause: Exception, expected: bool) -> None:
    inner = OSError("as httpcore wraps it")
    inner.__cause__ = cause
    error = httpx.ConnectError("")
    error.__cause__ = inner
    assert passes(error) is expected


def test_a_service_that_says_nothing_did_not_answer_in_time(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unseam.exchange.TIMEOUT", httpx.Timeout(0.2))
    service.script("GET tasks", lambda _: service.gone.wait(5))
    with unseam.Client(service.url, patience_s=0) as client:
        with pytest.raises(unseam.UnreachableError, match=r"did not answer within 0\.2 s$"):
            client.tasks()
        service.gone.set()


@pytest.mark.parametrize("kind", [httpx.PoolTimeout, httpx.RemoteProtocolError, httpx.ReadError])
def test_an_error_without_words_is_named_by_its_kind(kind: type[httpx.RequestError]) -> None:
    error = kind("", request=httpx.Request("GET", "http://me:secret@host:80/tasks"))
    assert str(unreachable(error)) == f"http://host cannot be reached: {kind.__name__}"
