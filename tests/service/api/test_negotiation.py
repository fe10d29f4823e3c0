from __future__ import annotations

import pytest

from service.api.negotiation import accepted_format, is_range, preference
from service.errors import InvalidRequest

TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


@pytest.mark.parametrize(
    ("header", "wait_s", "applied"),
    [
        (None, 60, ""),
        ("", 60, ""),
        ("return=minimal", 60, ""),
        ("respond-async", 0, "respond-async"),
        ("Respond-Async", 0, "respond-async"),
        ("respond-async, wait=10", 10, "wait=10"),
        ("wait=10; foo", 10, "wait=10"),
        ('wait="7"', 7, "wait=7"),
        ("wait=0", 0, "wait=0"),
        ("wait=100000", 600, "wait=600"),
        ("wait=5, wait=9", 5, "wait=5"),
    ],
)
def test_a_prefer_header_is_read(header: str | None, wait_s: float, applied: str) -> None:
    wish = preference(header, 60, 600)
    assert (wish.wait_s, wish.applied) == (wait_s, applied)


@pytest.mark.parametrize("header", ["wait=", "wait=-1", "wait=1.5", "wait=²"])
def test_a_wait_that_is_no_number_of_seconds_is_refused(header: str) -> None:
    with pytest.raises(InvalidRequest, match="whole number"):
        preference(header, 60, 600)


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (None, "png"),
        ("image/*", "png"),
        ("image/jpeg", "jpeg"),
        ("image/webp;q=0.2, image/jpeg;q=0.9", "jpeg"),
        ("image/png;q=0.5, */*;q=0.9", "jpeg"),
        ("image/png;q=0, image/*", "jpeg"),
        ("text/html", "png"),
        ("image/webp;q=nonsense, image/jpeg", "jpeg"),
        ("IMAGE/WEBP", "webp"),
    ],
)
def test_an_accept_header_chooses_the_format(header: str | None, chosen: str) -> None:
    assert accepted_format(header, TYPES, "png", lambda _: True) == chosen


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("image/webp, image/jpeg", "webp"),
        ("image/jpeg, image/webp;q=0.1", "webp"),
        ("image/jpeg, */*;q=0.5", "png"),
        ("image/jpeg", "jpeg"),
    ],
)
def test_a_format_that_cannot_hold_the_picture_gives_way_to_another_that_is_liked(header: str, chosen: str) -> None:
    assert accepted_format(header, TYPES, "png", lambda name: name != "jpeg") == chosen


def test_a_picture_is_not_turned_into_another_format_that_nobody_asked_for() -> None:
    assert accepted_format("*/*", TYPES, "webp", lambda name: name != "webp") == "webp"


@pytest.mark.parametrize("header", ["bytes=0-1", "Bytes=5-", "bytes=-5", "bytes=0-0, 4-9,-1", f"bytes=0-{10**17}"])
def test_a_range_of_bytes_is_understood(header: str) -> None:
    assert is_range(header)


@pytest.mark.parametrize(
    "header",
    ["", "bytes", "bytes=", "bytes=abc", "items=0-1", "bytes=9-5", "bytes=0-1,x", "bytes=-", f"bytes=0-{'9' * 5000}"],
)
def test_any_other_range_is_not(header: str) -> None:
    assert not is_range(header)
