"""Somebody else answers than the service."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from fake_service import FakeService, says

import unseam

Restore = Callable[..., unseam.Restored]
PORTAL = says(200, "<h1>Welcome</h1>")
ASKS: dict[str, Callable[[unseam.Client], object]] = {
    "POST restore": lambda client: client.submit(b"x", task="derain"),
    "GET tasks": lambda client: client.tasks(),
    "GET models": lambda client: client.models(),
    "GET job": lambda client: client.job("1"),
    "DELETE job": lambda client: client.cancel("1"),
    "GET events": lambda client: list(client.watch("1")),
}


@pytest.mark.parametrize("asked", ASKS)
@pytest.mark.parametrize(
    "body", ["<h1>Welcome</h1>", "17", '{"id": 3}', '["a"]', "\xff", '{"id": "a", "state": "odd"}']
)
def test_what_no_service_says_is_told_as_such(service: FakeService, asked: str, body: str) -> None:
    service.script(asked, says(200, body))
    with unseam.Client(service.url) as client, pytest.raises(unseam.ProblemError, match="not as unseam does") as caught:
        ASKS[asked](client)
    assert caught.value.kind == "not-unseam"


@pytest.mark.parametrize("asked", ASKS)
def test_a_redirect_says_which_address_to_give_and_is_not_followed(service: FakeService, asked: str) -> None:
    paths = {"job": "jobs/1", "events": "jobs/1/events"}
    path = paths.get(asked.split()[1], asked.split()[1])
    service.script(asked, says(308, "", Location=f"https://me:secret@safe.test/api/{path}?task=derain"))
    with unseam.Client(service.url) as client, pytest.raises(unseam.ProblemError) as caught:
        ASKS[asked](client)
    assert "answers from https://safe.test/api: give that address" in str(caught.value)
    assert len(service.asked) == 1


def test_a_redirect_to_a_page_of_its_own_is_told_whole(service: FakeService, restore: Restore) -> None:
    service.script("POST restore", says(302, "", Location="/sign-in?next=1"))
    with pytest.raises(unseam.ProblemError, match=r"answers from http://127\.0\.0\.1:\d+/sign-in\?next=1"):
        restore()


def test_a_picture_is_not_lost_to_a_delete_that_is_answered_by_somebody_else(
    service: FakeService, restore: Restore
) -> None:
    service.script("DELETE job", *[PORTAL] * 3)
    assert restore(b"picture").content == b"erutcip"


def test_what_is_compressed_wrongly_is_told_as_such(service: FakeService) -> None:
    service.script("GET tasks", says(200, "[]", Content_Encoding="gzip"))
    with unseam.Client(service.url) as client, pytest.raises(unseam.ProblemError, match="cannot be read"):
        client.tasks()


@pytest.mark.parametrize("members", [{"status": "bad"}, {"status": None}, {"detail": None, "title": None}, {"type": 4}])
def test_a_problem_of_an_odd_shape_is_a_problem_all_the_same(service: FakeService, members: dict[str, object]) -> None:
    body = {"type": "urn:unseam:problem:odd", "status": 418} | members
    service.script("GET tasks", says(418, json.dumps(body)))
    with unseam.Client(service.url) as client, pytest.raises(unseam.ProblemError) as caught:
        client.tasks()
    assert caught.value.status == 418


def test_a_line_separator_in_an_event_ends_no_line(service: FakeService, restore: Restore) -> None:
    service.error = {"type": "urn:unseam:problem:bad-image", "status": 422, "detail": "one\u2028two\x85three"}
    with pytest.raises(unseam.ProblemError, match="one\u2028two\x85three"):
        restore()
