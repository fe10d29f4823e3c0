"""A picture on its way to the service."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx

from unseam.errors import ProblemError
from unseam.job import Job
from unseam.original import Original


class Upload(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of a request, in pieces, as often as it is asked for.

    Attributes:
        out: whether all of it went out, and the service did not refuse it: then there may be a job.
        under_way: whether some of it went out, and not all.
        deadline: of `time.monotonic()`; no piece goes out after it.
    """

    def __init__(self, original: Original) -> None:
        self._original = original
        self.out = self.under_way = False
        self.deadline = math.inf

    def __iter__(self) -> Iterator[bytes]:
        left = self._original.size_bytes
        for piece in self._original.pieces():
            if time.monotonic() > self.deadline:
                raise httpx.WriteTimeout("no time is left")
            left -= len(piece)
            self.under_way = left > 0
            self.out = self.out or not left  # before it is: an interruption may come in between
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self)
        while piece := await asyncio.to_thread(next, pieces, b""):  # a disk may be slow
            yield piece


@dataclass
class Order:
    """What is asked of the service, once or again: it is one job.

    Attributes:
        request: makes the job, or finds it.
        upload: the request's body.
        job: what the service made of it, once that is known.
    """

    request: httpx.Request
    upload: Upload
    job: Job | None = None

    def within(self, seconds: float) -> httpx.Request:
        """The same request, that has to be taken and answered in that time."""
        self.upload.deadline = time.monotonic() + seconds  # for good: it is the last thing that is said
        same, timeout = self.request, httpx.Timeout(seconds).as_dict()
        return httpx.Request(
            same.method, same.url, headers=same.headers, stream=self.upload, extensions={"timeout": timeout}
        )


def settle(request: httpx.Request, error: Exception) -> None:
    """Note of a request that failed whether it was refused, and not by a proxy that waited in vain: no job was made."""
    if isinstance(request.stream, Upload) and isinstance(error, ProblemError) and error.status not in (502, 504):
        request.stream.out = False
