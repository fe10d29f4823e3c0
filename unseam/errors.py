"""What can go wrong for a client, as a small tree.

Exception
└── ClientError
    ├── ProblemError        the service answered with an error: its words and its facts
    ├── UnreachableError    there was no answer
    ├── InvalidAddress(ValueError)    the service's address is none
    ├── InvalidKey(ValueError)        the API key is none
    ├── MisnamedFile(ValueError)      a picture is to be saved under the name of another kind
    └── ChangedFile(OSError)          a picture's file is no longer what it was when it was first read
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self

import httpx

FOREIGN: Final = "not-unseam"


class ClientError(Exception):
    """A picture was not restored; the message is a sentence for people."""


class UnreachableError(ClientError):
    """Nobody answers at the service's address, or the connection broke too often."""


class InvalidAddress(ClientError, ValueError):  # noqa: N818 - as the service has it
    """An address that names no service."""


class InvalidKey(ClientError, ValueError):  # noqa: N818
    """An API key that no request can carry; the message does not repeat it."""


class MisnamedFile(ClientError, ValueError):  # noqa: N818
    """A file name that would lie about the picture in it."""


class ChangedFile(ClientError, OSError):  # noqa: N818
    """A file that was written, replaced or deleted while it was sent."""


class ProblemError(ClientError):
    """The service refused, or failed at, a request (RFC 9457).

    Attributes:
        kind: for programs: `unsupported-image`, `invalid-parameter`, `overloaded` ...; `not-unseam` where it was not
            the service that answered.
        status: of HTTP.
        request_id: under which the service's log has more.
        job_id: of the job that failed; None where a request was refused.
        retry_after_s: when the same request may be sent again; None where that does not help.
        facts: what was found and what is allowed.
    """

    def __init__(self, detail: str, *, kind: str, status: int, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = status
        self.facts = dict(facts or {})
        self.request_id = str(self.facts.pop("instance", "")).rpartition(":")[2]
        self.job_id: str | None = None
        self.retry_after_s: float | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """The error that a problem's JSON object tells of."""
        members = dict(body)
        kind = str(members.pop("type", "")).rpartition(":")[2] or "unknown"
        status = members.pop("status", 0)
        detail = str(members.pop("detail", None) or members.pop("title", kind))
        members.pop("title", None)
        return cls(detail, kind=kind, status=status if isinstance(status, int) else 0, facts=members)

    @classmethod
    def of_answer(cls, answer: httpx.Response) -> Self:
        """The error that an answer tells of; its body has to be read already."""
        try:
            body = json.loads(answer.content)
        except ValueError:
            body = None
        ours = isinstance(body, dict) and "type" in body
        error = cls.of(body | {"status": answer.status_code}) if ours else cls.foreign(answer)
        error.retry_after_s = _seconds(answer.headers.get("Retry-After", ""))
        return error

    @classmethod
    def foreign(cls, answer: httpx.Response, because: str = "") -> Self:
        """The error that an answer is not the service's."""
        words = f"{answer.status_code} {answer.reason_phrase}".rstrip()
        detail = ", ".join(filter(None, (f"{bare(answer.url)} answered {words}", because, "not as unseam does")))
        return cls(detail, kind=FOREIGN, status=answer.status_code)


def bare(url: httpx.URL) -> str:
    """An address as it may be shown: without the name and password that it may hold."""
    return str(url.copy_with(username=None, password=None)) if url.userinfo else str(url)


def _seconds(retry_after: str) -> float | None:
    """What `Retry-After` says in seconds, though it be a date; None if it says nothing."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
