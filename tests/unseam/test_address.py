from __future__ import annotations

import traceback

import pytest
from fake_service import FakeService, says

import unseam

KINDS = pytest.mark.parametrize("kind", [unseam.Client, unseam.AsyncClient])


@KINDS
@pytest.mark.parametrize("key", ["ses\name", "clé", "a\x00b", "a\x7fb"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(kind: type, key: str) -> None:
    with pytest.raises(unseam.InvalidKey, match=r"letter \d of \d+ is not visible ASCII") as caught:
        kind("http://localhost", key=key)
    assert key not in "".join(traceback.format_exception_only(caught.value))


@pytest.mark.parametrize("key", ["sesame\n", " sesame\r\n", "sesame"])
def test_white_space_around_a_key_is_taken_off(service: FakeService, key: str) -> None:
    with unseam.Client(service.url, key=key) as client:
        client.tasks()
    assert service.headers[0]["Authorization"] == "Bearer sesame"


@pytest.mark.parametrize("key", [None, "", "\n"])
def test_no_key_is_no_header(service: FakeService, key: str | None) -> None:
    with unseam.Client(service.url, key=key) as client:
        client.tasks()
    assert "Authorization" not in service.headers[0]


@KINDS
def test_a_password_and_a_key_cannot_both_be_sent(kind: type) -> None:
    with pytest.raises(unseam.InvalidAddress, match="no room for an API key") as caught:
        kind("http://me:secret@localhost", key="sesame")
    assert "secret" not in str(caught.value)
    assert "sesame" not in str(caught.value)


@KINDS
@pytest.mark.parametrize(
    "url",
    [
        "http://x/a?b=1",
        "http://x/#a",
        "http://x:99999",
        "http://a..b",
        "me:secret@host:8000",
        "ftp://me:secret@host",
        "http://me:se/cret@:80",
        "http://me:secret@host:99999",
    ],
)
def test_what_is_no_address_is_refused_without_its_password(kind: type, url: str) -> None:
    with pytest.raises(unseam.InvalidAddress, match="is no address of a service") as caught:
        kind(url)
    assert "cret" not in str(caught.value)


def test_a_password_in_the_address_is_sent_and_never_shown(service: FakeService) -> None:
    url = service.url.replace("http://", "http://me:secret@")
    service.script("GET tasks", says(404, "<h1>It works!</h1>"), says(200, "[]", Content_Encoding="gzip"))
    with unseam.Client(url, patience_s=0) as client:
        for _ in range(2):
            with pytest.raises(unseam.ProblemError) as caught:
                client.tasks()
            assert "secret" not in str(caught.value)
            assert f"{service.url}/tasks answered" in str(caught.value)
    assert service.headers[0]["Authorization"].startswith("Basic ")
