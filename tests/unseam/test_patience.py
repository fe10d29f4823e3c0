from __future__ import annotations

import httpx
import pytest
from fake_service import FakeService

import unseam
from unseam.patience import unreachable


def test_a_service_that_says_nothing_did_not_answer_in_time(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("client", "asynchronous"):
        monkeypatch.setattr(f"unseam.{module}.TIMEOUT", httpx.Timeout(0.2))
    service.script("GET tasks", lambda _: service.gone.wait(5))
    with unseam.Client(service.url, patience_s=0) as client:
        with pytest.raises(unseam.UnreachableError, match=r"did not answer within 0\.2 s$"):
            client.tasks()
        service.gone.set()


@pytest.mark.parametrize("kind", [httpx.PoolTimeout, httpx.RemoteProtocolError, httpx.ReadError])
def test_an_error_without_words_is_named_by_its_kind(kind: type[httpx.RequestError]) -> None:
    error = kind("", request=httpx.Request("GET", "http://me:secret@host:80/tasks"))
    assert str(unreachable(error)) == f"http://host cannot be reached: {kind.__name__}"
