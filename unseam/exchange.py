"""What is said to the service, and when it is said again: no input or output here, both clients go by it."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from typing import Final, Literal, TypedDict

import httpx

from unseam.errors import InvalidAddress, ProblemError, UnreachableError
from unseam.job import Job
from unseam.picture import Restored

TIMEOUT: Final = httpx.Timeout(60, connect=10, pool=None)
LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=20)  # each watched job holds one
AT_ONCE: Final = 16
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 8.0


class Options(TypedDict, total=False):
    """What may be chosen for a restoration besides its task.

    Attributes:
        model: a network of the task; by default the service's choice.
        scale: for upscale, the output's side over the input's: 2, 3 or 4.
        pattern: for demosaic, the mosaic row by row: rggb, bggr, grbg, gbrg.
        format: jpeg, png, webp, tiff or avif; by default the picture's own.
        quality: 1..100, of a lossy result.
        keep: metadata to keep: all, all but where the picture was taken, or none.
        frame: which page of a TIFF or frame of an animation, counted from 0.
    """

    model: str | None
    scale: int | None
    pattern: str | None
    format: str | None
    quality: int | None
    keep: Literal["all", "no-location", "none"] | None
    frame: int | None


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

    def spend(self, url: httpx.URL, error: httpx.TransportError | ProblemError) -> float:
        """Seconds to wait before the next attempt.

        Raises ProblemError where asking again does not help, and this or UnreachableError once patience is spent.
        """
        pause = self._pause_s
        if isinstance(error, ProblemError):
            if error.status not in (429, 503):
                raise error
            pause = max(pause, error.retry_after_s or 0)
        if time.monotonic() + pause > self._deadline:
            raise error if isinstance(error, ProblemError) else _unreachable(url, error) from error
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause


def address(url: str) -> str:
    """The same address. Raises InvalidAddress for one that names no service."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL:
        parts = httpx.URL()
    if parts.scheme not in ("http", "https") or not parts.host:
        raise InvalidAddress(
            f"{url!r} is no address of a service: it begins with http:// or https://, then names the host"
        )
    return url


def positive(at_once: int) -> int:
    """The same number. Raises ValueError for one with which nobody would ever have a turn."""
    if at_once < 1:
        raise ValueError(f"at_once is 1 or more, not {at_once}")
    return at_once


def headers(key: str | None) -> dict[str, str]:
    """What goes with every request."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def submission(http: httpx.Client | httpx.AsyncClient, data: bytes, task: str, options: Options) -> httpx.Request:
    """The request that makes a job; sent again, it is still the same job."""
    chosen = {"task": task} | {name: str(value) for name, value in options.items() if value is not None}
    prefer = {"Prefer": "respond-async", "Idempotency-Key": secrets.token_hex(16)}
    return http.build_request("POST", "restore", params=chosen, content=data, headers=prefer)


def accepted(answer: httpx.Response) -> httpx.Response:
    """The same answer. Raises ProblemError if it is no success; its body has to be read already."""
    if not answer.is_success:
        raise ProblemError.of_answer(answer)
    return answer


def succeeded(job: Job) -> Job:
    """The same job. Raises ProblemError if it failed or was cancelled."""
    if job.error:
        raise job.error
    if job.state == "cancelled":
        raise ProblemError("The job was cancelled.", kind="cancelled", status=409)
    return job


def picture(answer: httpx.Response, job: Job) -> Restored | None:
    """The picture that an answer carries; None if its bytes are not those that the job tells of."""
    if job.result is None:
        return Restored(answer.content, answer.headers.get("Content-Type", "application/octet-stream"), job)
    if hashlib.sha256(answer.content).hexdigest() != job.result.sha256:
        return None
    return Restored(answer.content, job.result.media_type, job)


def another(job: Job, answer: httpx.Response) -> ProblemError:
    """The error that somebody between answers with something else than the job's picture."""
    return ProblemError(
        f"What {answer.url} gives is not the picture of this job: its sha256 is another, twice. Is there a proxy between?",
        kind="not-the-result",
        status=answer.status_code,
        facts={"expected": vars(job.result) if job.result else None, "found_bytes": len(answer.content)},
    )


def job_in(line: str) -> Job | None:
    """The job that a line of server-sent events carries; the service writes each into one line."""
    return Job.of(json.loads(line.removeprefix("data:"))) if line.startswith("data:") else None


def _unreachable(url: httpx.URL, error: Exception) -> UnreachableError:
    return UnreachableError(f"{url.scheme}://{url.netloc.decode()} cannot be reached: {error or type(error).__name__}")
