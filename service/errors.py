"""What can go wrong in the service, as a small tree. What is wrong with a picture is `imaging.errors`.

Exception
└── ServiceError                        `facts` says what was found and what is allowed
    ├── RequestError(ValueError)        the request's fault: asking the same again does not help
    │   ├── InvalidRequest              a header or body that cannot be read (HTTP 400)
    │   ├── Unauthorized                no API key, or an unknown one (401)
    │   ├── JobNotFound                 no such job, or another key's (404)
    │   ├── NoResult                    the job is not finished, or was cancelled (409)
    │   ├── ResultExpired               the result was kept for its time, and is gone (410)
    │   ├── BodyTooLarge                more bytes than allowed (413)
    │   ├── EncodedBody                 a body compressed on its way (415)
    │   ├── InvalidParameter            a task, model or option that is not served (422)
    │   └── IdempotencyKeyReused        one key for two different requests (422)
    ├── RetryLater                      the service's state: the same may be asked again, `retry_after_s` says when
    │   ├── Overloaded                  the backlog is full (429)
    │   ├── StorageFull                 no room for uploads and results (503)
    │   └── NotReady                    starting, stopping or broken (503)
    └── JobFailed                       the job ended in a failure; `failure` says which

An error is known to clients by its kind: the class name in kebab case (`job-not-found`).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from imaging.errors import PictureError

INTERNAL: Final = "internal-error"


class ServiceError(Exception):
    """Anything the service itself refuses or fails at.

    Attributes:
        facts: what was found and what is allowed, for machines; values are JSON.
    """

    def __init__(self, detail: str, **facts: object) -> None:
        super().__init__(detail)
        self.facts = facts


class RequestError(ServiceError, ValueError):
    """The request cannot be answered as it is."""


class InvalidRequest(RequestError):  # noqa: N818 - named for what it is, as imaging.errors
    """A header or a body that cannot be read."""


class Unauthorized(RequestError):  # noqa: N818
    """No API key where one is needed, or one that is not known."""


class JobNotFound(RequestError):  # noqa: N818
    """No job of this id is visible to this client."""


class NoResult(RequestError):  # noqa: N818
    """The job has no result: it is not finished, or it was cancelled."""


class ResultExpired(RequestError):  # noqa: N818
    """The result was kept for its time and is gone."""


class BodyTooLarge(RequestError):  # noqa: N818
    """The body holds more bytes than are taken."""


class EncodedBody(RequestError):  # noqa: N818
    """The body is compressed on its way (Content-Encoding), which is not taken."""


class InvalidParameter(RequestError):  # noqa: N818
    """A task, model or option that is not served."""


class IdempotencyKeyReused(RequestError):  # noqa: N818
    """The key was used before, for another picture or other parameters."""


class RetryLater(ServiceError):  # noqa: N818
    """The service cannot take the request now.

    Attributes:
        retry_after_s: whole seconds after which the same request is expected to be taken.
    """

    def __init__(self, detail: str, *, retry_after_s: int, **facts: object) -> None:
        super().__init__(detail, **facts)
        self.retry_after_s = retry_after_s


class Overloaded(RetryLater):
    """The backlog is full."""


class StorageFull(RetryLater):
    """There is no room for another upload or result."""


class NotReady(RetryLater):
    """The service is starting or stopping, or a part of it is broken."""


@dataclass(frozen=True)
class Failure:
    """Why a job failed, in a form that outlives the exception and the process.

    Attributes:
        kind: as `kind` has it.
        detail: a sentence for the person who sent the picture.
        facts: what was found and what is allowed.
    """

    kind: str
    detail: str
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def passes(self) -> bool:
        """Whether it was the service's state, not the request: the same may be asked again later."""
        return self.kind in {kind(error) for error in RetryLater.__subclasses__()}

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """What a client may know of an exception: nothing of one that is not ours."""
        match error:
            case JobFailed():
                return error.failure
            case ServiceError() | PictureError():
                return cls(kind(type(error)), str(error), error.facts)
            case OSError(errno=errno.ENOSPC):
                return cls(kind(StorageFull), "The server's disk is full; send the picture again later.")
            case MemoryError():
                return cls("out-of-memory", "The picture does not fit in the server's memory; send a smaller one.")
        return cls(INTERNAL, "Something went wrong inside the server; its log says what, under this request's id.")


QUARANTINED: Final = Failure(
    "quarantined",
    "Every worker that tried this picture ended abruptly; it is not tried again. Please report it.",
)


class JobFailed(ServiceError):  # noqa: N818
    """A job's stored failure, raised again for whoever asks for the result."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail, **failure.facts)
        self.failure = failure


def kind(error: type[Exception]) -> str:
    """The name under which clients know an error class: `JobNotFound` -> `job-not-found`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__).lower()
