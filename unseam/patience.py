"""When something is asked again."""

from __future__ import annotations

import time
from typing import Final

import httpx

from unseam.errors import FOREIGN, ProblemError, UnreachableError, bare

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0


class Patience:
    """How long a full service or a broken connection is tried again.

    Args:
        seconds: from the last success to the last attempt.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.restore()

    def restore(self) -> None:
        """Start anew: the service answers."""
        self._deadline = time.monotonic() + self._seconds
        self._pause_s = FIRST_PAUSE_S

    def spend(self, error: httpx.RequestError | ProblemError) -> float:
        """Seconds to wait before the next attempt.

        Raises ProblemError where asking again does not help, and this or UnreachableError once patience is spent.
        """
        pause = self._pause_s
        if isinstance(error, httpx.DecodingError):
            raise garbled(error) from error
        if isinstance(error, ProblemError):
            if error.status not in (429, 503):
                raise error
            pause = max(pause, error.retry_after_s or 0)
        if time.monotonic() + pause > self._deadline:
            raise error if isinstance(error, ProblemError) else unreachable(error) from error
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause


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
    return UnreachableError(f"{service} cannot be reached: {str(error) or type(error).__name__}")


def garbled(error: httpx.DecodingError) -> ProblemError:
    """The error that what came is not what its headers say."""
    return ProblemError(f"{bare(error.request.url)} answered what cannot be read: {error}", kind=FOREIGN, status=200)
