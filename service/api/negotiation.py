"""What a client's headers ask for: how long to wait (RFC 7240), in which format (RFC 9110, 12.5.1), which part."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from starlette.datastructures import Headers

from service.errors import InvalidRequest

Name = TypeVar("Name", bound=str)

RESPOND_ASYNC: Final = "respond-async"
_RANGE: Final = re.compile(r"(?P<first>[0-9]{1,18})-(?P<last>[0-9]{0,18})|-[0-9]{1,18}")


def listed(headers: Headers, name: str) -> str | None:
    """All lines of a header that is a list, as the one line that they stand for (RFC 9110, 5.3); None without any."""
    return ", ".join(headers.getlist(name)) or None


@dataclass(frozen=True)
class Preference:
    """What the Prefer header asks for.

    Attributes:
        wait_s: how long to wait for the end of a job; 0 is not at all.
        applied: for the Preference-Applied header; empty if nothing was asked for.
    """

    wait_s: float
    applied: str = ""


def preference(header: str | None, default_wait_s: float, max_wait_s: float) -> Preference:
    """Read a Prefer header; preferences other than respond-async and wait are ignored, as the RFC wants it.

    With `wait=N`, respond-async says to answer 202 only once N seconds are over (RFC 7240, 4.3). Raises InvalidRequest
    for a wait that is no whole number of seconds.
    """
    wanted: dict[str, str] = {}
    for part in re.split(r"[,;]", header or ""):
        name, _, value = part.partition("=")
        wanted.setdefault(name.strip().lower(), value.strip().strip('"'))
    wait = wanted.get("wait")
    if wait is not None:
        if not wait.isascii() or not wait.isdigit():
            raise InvalidRequest(
                f"Prefer: wait={wait} is no whole number of seconds, 0 to {max_wait_s:g}.", header="Prefer", given=wait
            )
        seconds = min(float(wait), max_wait_s)
        return Preference(seconds, f"wait={math.floor(seconds)}")
    if RESPOND_ASYNC in wanted:
        return Preference(0, RESPOND_ASYNC)
    return Preference(default_wait_s)


def accepted_format(
    accept: str | None, media_types: Mapping[Name, str], own: Name, holds: Callable[[Name], bool]
) -> Name:
    """The format that an Accept header likes best of those that hold the picture; the picture's own, where it will do.

    Args:
        accept: the header; None accepts anything.
        media_types: of each format that can be written.
        own: the uploaded picture's format; never left for another that is not liked better.
        holds: whether a format can hold the result.

    An Accept header that no format satisfies is disregarded, as RFC 9110 allows: whoever sends a picture gets one.
    Where none that it likes holds the picture, the answer is what it likes best: let that be refused, in words.
    """
    liked = {name: _quality(accept or "*/*", media_type) for name, media_type in media_types.items()}
    ranked = sorted(liked, key=lambda name: (-liked[name], name != own))
    return next((name for name in ranked if liked[name] and (name == own or holds(name))), ranked[0])


def is_range(header: str) -> bool:
    """Whether a Range header asks for bytes in a way that can be understood; else it is ignored (RFC 9110, 14.2)."""
    unit, _, ranges = header.partition("=")
    found = [_RANGE.fullmatch(part.strip()) for part in ranges.split(",")]
    return unit.strip().lower() == "bytes" and all(
        match and (not match["last"] or int(match["first"]) <= int(match["last"])) for match in found
    )


def _quality(accept: str, media_type: str) -> float:
    """How much a header likes a media type, 0..1; the most specific range that covers it decides."""
    kind = media_type.partition("/")[0]
    precedence = {media_type: 2, f"{kind}/*": 1, "*/*": 0}
    best = -1, 0.0
    for part in accept.split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if media_range in precedence:
            weights = [p.removeprefix("q=") for p in parameters if p.startswith("q=")]
            best = max(best, (precedence[media_range], _number(weights[0]) if weights else 1.0))
    return best[1]


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0
