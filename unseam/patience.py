"""When something is asked again."""

from __future__ import annotations

import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx

from unseam.errors import FOREIGN, ClientError, ProblemError, UnreachableError, bare
from unseam.upload import Upload

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0
PATIENCE_S: Final = 300.0  # the service itself asks for 60 s, and for more where its backlog is long
PASSING: Final = {429, 502, 503, 504}  # full, restarting, or behind a proxy that finds it away
PERMANENT: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)  # faults of the request itself

Notice = Callable[[ClientError, float], object]


class Patience:
    """How long a full service or a broken connection is tried again.

    Args:
        seconds: from the first failure after a success to the last attempt; how long an attempt takes does not count.
        notice: is told of each failure that is waited for, with the seconds until the next attempt.
    """

    def __init__(self, seconds: float, notice: Notice | None = None) -> None:
        self._seconds, self._notice = seconds, notice
        self.restore()

    def restore(self) -> None:
        """Start anew: the service answers."""
        self._deadline: float | None = None
        self._pause_s = FIRST_PAUSE_S

    def spend(self, failure: httpx.RequestError | ProblemError, *, again: bool = False) -> float:
        """Seconds to wait before the next attempt: a little more than they have to be, or all clients come at once.

        Args:
            failure: what came instead of a success.
            again: whether asking again is known to help.

        Raises ProblemError where asking again does not help, and this or UnreachableError once patience is spent.
        """
        error = told(failure)
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + self._seconds
        asked_s = (error.retry_after_s if isinstance(error, ProblemError) else None) or 0
        least_s = max(self._pause_s / 2, asked_s)
        if not (again or passes(failure)) or now + max(self._pause_s, asked_s) > self._deadline:
            raise error from (None if error is failure else failure)
        pause_s = least_s + random.uniform(0, self._pause_s / 2)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        if self._notice:
            self._notice(error, pause_s)
        return pause_s


def passes(failure: Exception) -> bool:
    """Whether the same may be asked again with a better answer."""
    if isinstance(failure, ProblemError):
        return failure.status in PASSING
    return isinstance(failure, httpx.TransportError) and not isinstance(failure, PERMANENT) and not _nobody(failure)


def told(failure: httpx.RequestError | ProblemError) -> ClientError:
    """A failure in words for people."""
    if isinstance(failure, ProblemError):
        return failure
    return garbled(failure) if isinstance(failure, httpx.DecodingError) else unreachable(failure)


def _nobody(failure: httpx.TransportError) -> bool:
    """Whether there is no such host, or one that speaks no TLS or shows a certificate that is not trusted."""
    for cause in _causes(failure) if isinstance(failure, httpx.ConnectError) else ():
        if isinstance(cause, socket.gaierror):
            return cause.errno != socket.EAI_AGAIN
        if isinstance(cause, ssl.SSLError):
            return not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError)
    return False


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """The failure and what it came of, down to the system's word; of several addresses, that of the last."""
    cause: BaseException | None = failure
    while cause:
        yield cause
        cause = cause.exceptions[-1] if isinstance(cause, BaseExceptionGroup) else cause.__cause__ or cause.__context__


def unreachable(error: httpx.RequestError) -> UnreachableError:
    """The error that there was no answer, with the reason."""
    url, waited_s = error.request.url, error.request.extensions.get("timeout", {})
    service = f"{url.scheme}://{url.netloc.decode()}"
    if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
        doing = "answer" if isinstance(error, httpx.ReadTimeout) else "take the picture"
        seconds = waited_s.get("read" if isinstance(error, httpx.ReadTimeout) else "write")
        return UnreachableError(f"{service} did not {doing} within {seconds:g} s")
    if isinstance(error, httpx.ConnectTimeout):
        return UnreachableError(f"{service} cannot be reached: no connection within {waited_s.get('connect'):g} s")
    return UnreachableError(f"{service} cannot be reached: {_reason(error)}")


def _reason(error: httpx.RequestError) -> str:
    upload = error.request.stream
    if isinstance(upload, Upload) and upload.under_way:
        return "the connection broke while the picture was sent"  # as where a proxy takes no such large ones
    for cause in _causes(error):
        if isinstance(cause, ConnectionRefusedError):
            return "nothing listens there (connection refused)"
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, ssl.SSLError):
            return cause.strerror
    return str(error) or type(error).__name__


def garbled(error: httpx.DecodingError) -> ProblemError:
    """The error that what came is not what its headers say."""
    return ProblemError(f"{bare(error.request.url)} answered what cannot be read: {error}", kind=FOREIGN, status=200)
