"""The jobs of one process: any thread changes them, coroutines watch them."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from service.errors import JobNotFound
from service.jobs.job import Job


class Ledger:
    """Job records in memory, in the order of their acceptance. Made on the event loop that watches it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._unfinished: dict[str, Job] = {}  # of _jobs; few, where _jobs may be many
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def add(self, job: Job) -> None:
        """Enter a new job."""
        with self._lock:
            self._jobs[job.id] = self._unfinished[job.id] = job

    def get(self, job_id: str) -> Job:
        """The job as it stands. Raises JobNotFound."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise JobNotFound(f"There is no job {job_id!r}.", job=job_id)
        return job

    def all(self) -> list[Job]:
        """Every job, oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def unfinished(self) -> list[Job]:
        """The jobs that have not ended, oldest first."""
        with self._lock:
            return list(self._unfinished.values())

    def update(self, job_id: str, **changes: Any) -> Job | None:
        """Change a job that has not ended; None, and no change, for one that has: an end is final."""
        with self._lock:
            if job_id not in self._unfinished:
                return None
            changed = replace(self._unfinished[job_id], **changes)
            self._jobs[job_id] = self._unfinished[job_id] = changed
            if changed.state.ended:
                del self._unfinished[job_id]
        with suppress(RuntimeError):  # the loop is closed: nobody watches any more
            self._loop.call_soon_threadsafe(self._notify, job_id)
        return changed

    def expire(self, job_id: str) -> None:
        """Note that an ended job's result has been deleted."""
        with self._lock:
            self._jobs[job_id] = replace(self._jobs[job_id], expired=True)

    def remove(self, job_id: str) -> None:
        """Forget a job."""
        with self._lock:
            self._jobs.pop(job_id, None)

    async def watch(self, job_id: str) -> AsyncIterator[Job]:
        """See `JobQueue.watch`."""
        changed = asyncio.Event()
        self._watchers[job_id].add(changed)
        try:
            while True:
                changed.clear()
                job = self.get(job_id)
                yield job
                if job.state.ended:
                    return
                await changed.wait()
        finally:
            self._watchers[job_id].discard(changed)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    def _notify(self, job_id: str) -> None:
        for changed in self._watchers.get(job_id, ()):
            changed.set()
