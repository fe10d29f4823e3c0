"""The one seam between the API and whatever does the work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from service.jobs.job import Job, Order


@dataclass(frozen=True)
class Backlog:
    """Work that is not done yet.

    Attributes:
        jobs: queued or running.
        tile_units: not done yet.
        oldest_s: age of the oldest of those jobs.
    """

    jobs: float
    tile_units: float
    oldest_s: float


@dataclass(frozen=True)
class Outlook:
    """What an unfinished job has to wait for.

    Attributes:
        position: jobs that come before it.
        seconds: until it is done, from the measured rate.
    """

    position: int
    seconds: float


class JobQueue(Protocol):
    """Accepts orders and does them, each to an end.

    Whose job it is, the caller checks: a queue answers for every job that it knows.

    Attributes:
        outlasts_process: jobs go on when this process ends.
    """

    outlasts_process: bool

    async def submit(self, order: Order, upload: Path) -> Job:
        """Accept an order, or find the job that the same Idempotency-Key already made and stands for.

        A key is remembered as long as its job's result is; it is free again as soon as `job.keeps_key` says so.

        The uploaded file is moved away when the order is accepted, else left alone.

        Raises:
            Overloaded: the backlog has no room for it.
            StorageFull: the folder for uploads and results has none.
            IdempotencyKeyReused: the owner used the key for another request.
            NotReady: nobody is there to do it.
        """
        ...

    async def admit(self, tile_units: float, body_bytes: int) -> None:
        """Raise what `submit` would raise for so much work and so large an upload; an upload is not read in vain."""
        ...

    async def get(self, job_id: str) -> Job:
        """The job as it stands. Raises JobNotFound."""
        ...

    def watch(self, job_id: str) -> AsyncIterator[Job]:
        """The job as it stands, then after changes, at last its end. A slow reader misses changes, never the end.

        Raises JobNotFound.
        """
        ...

    async def outlook(self, job_id: str) -> Outlook | None:
        """What the job has to wait for; None once it has ended."""
        ...

    async def cancel(self, job_id: str) -> Job:
        """End a job that has not ended, and delete the result of one that has. Raises JobNotFound."""
        ...

    async def forget(self, job_id: str) -> None:
        """Delete what is left of an ended job of which nobody else knows."""
        ...

    async def result(self, job_id: str) -> tuple[Job, Path]:
        """The job and a file with its result, the caller's to delete.

        Raises NoResult, ResultExpired, JobFailed or JobNotFound.
        """
        ...

    async def backlog(self) -> Backlog:
        """Work that is not done yet."""
        ...

    async def check(self) -> None:
        """Raise NotReady unless jobs are being done."""
        ...
