"""The queue inside the API's own process: no Redis, nothing to set up, and nothing that survives a restart."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from imaging.codec import Limits
from service.errors import IdempotencyKeyReused, JobFailed, NoResult, NotReady, ResultExpired
from service.jobs.admission import admit_bytes, admit_work
from service.jobs.inference import Inference
from service.jobs.job import Job, Order, State, keeps_key, new_id
from service.jobs.lanes import Lanes
from service.jobs.ledger import Ledger
from service.jobs.pace import Pace
from service.jobs.pipeline import Work
from service.jobs.queue import Backlog, Outlook
from service.jobs.spool import Spool
from service.metrics import Metrics
from service.settings import Settings

log = logging.getLogger(__name__)

EXPIRED_JOBS_KEPT = 10_000  # so that their results answer 410 for a while, not 404


class EmbeddedQueue:
    """A `JobQueue` of threads and dictionaries; made and used on one event loop."""

    outlasts_process = False

    def __init__(self, settings: Settings, inference: Inference, pace: Pace, limits: Limits, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._inference, self._pace = inference, pace
        self._ledger = Ledger()
        self._spool = Spool(settings.spool)
        self._work: dict[str, Work] = {}
        self._by_key: dict[tuple[str, str], str] = {}
        self._stopping = False
        self._lanes = Lanes(settings, inference, self._update, limits=limits, metrics=metrics)
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def folder(self) -> Path:
        """Where uploads are to be put for `submit`, and where results lie."""
        return self._spool.folder

    async def start(self) -> None:
        """Start the threads. Returns at once; `check` says when the engines are warm."""
        log.info("embedded queue: jobs and results live in this process and end with it")
        self._inference.start()
        self._lanes.start()
        self._sweeper = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Cancel what is not done, end the threads, delete every file."""
        self._stopping = True
        if self._sweeper:
            self._sweeper.cancel()
        for job in self._ledger.unfinished():
            await self.cancel(job.id)
        await asyncio.to_thread(self._lanes.stop, self._settings.drain_s)
        await asyncio.to_thread(self._inference.stop, 1.0)
        self._spool.remove()

    async def submit(self, order: Order, upload: Path) -> Job:
        """See `JobQueue.submit`."""
        key = (order.owner, order.idempotency_key) if order.idempotency_key else None
        if key in self._by_key:
            job = self._ledger.get(self._by_key[key])
            if keeps_key(job.state, job.failure):
                if job.order.fingerprint != order.fingerprint:
                    raise IdempotencyKeyReused(
                        "This Idempotency-Key was used for another picture or other parameters; take a new one.",
                        job=job.id,
                    )
                return job
        await self.admit(order.tile_units, order.body_bytes)
        job = Job(new_id(), order, time.time(), tiles_total=order.tiles)
        upload = upload.rename(self._spool.upload(job.id))
        work = Work(job.id, order, read=upload.read_bytes, write=self._spool.result(job.id).write_bytes)
        self._work[job.id] = work
        self._ledger.add(job)
        if key:
            self._by_key[key] = job.id
        self._lanes.put(work)
        return job

    async def admit(self, tile_units: float, body_bytes: int) -> None:
        """See `JobQueue.admit`."""
        self._admit_any()
        settings = self._settings
        admit_work(self._ledger.unfinished(), tile_units, settings.max_backlog_tile_units, self._pace)
        admit_bytes(self._ledger.all(), body_bytes, settings.max_spool_bytes)

    async def get(self, job_id: str) -> Job:
        """See `JobQueue.get`."""
        return self._ledger.get(job_id)

    def watch(self, job_id: str) -> AsyncIterator[Job]:
        """See `JobQueue.watch`."""
        return self._ledger.watch(job_id)

    async def outlook(self, job_id: str) -> Outlook | None:
        """See `JobQueue.outlook`."""
        seconds = 0.0
        for position, job in enumerate(self._ledger.unfinished()):
            seconds += self._pace.seconds(job.order.model, job.remaining_units)
            if job.id == job_id:
                return Outlook(position, seconds)
        return None

    async def cancel(self, job_id: str) -> Job:
        """See `JobQueue.cancel`."""
        job = self._ledger.get(job_id)
        if job.state.ended:
            self._expire(job)
        elif work := self._work.get(job_id):
            work.cancelled.set()
            self._update(job_id, state=State.CANCELLED)
        return self._ledger.get(job_id)

    async def forget(self, job_id: str) -> None:
        """See `JobQueue.forget`."""
        self._expire(self._ledger.get(job_id))
        self._ledger.remove(job_id)

    async def result(self, job_id: str) -> tuple[Job, Path]:
        """See `JobQueue.result`."""
        job = self._ledger.get(job_id)
        if job.failure:
            raise JobFailed(job.failure)
        if job.state is not State.SUCCEEDED:
            raise NoResult(f"The job is {job.state}; it has no result.", job=job_id, state=job.state)
        try:
            return job, self._spool.lend(job_id)
        except FileNotFoundError:
            raise ResultExpired("The result is no longer kept; restore the picture again.", job=job_id) from None

    async def backlog(self) -> Backlog:
        """See `JobQueue.backlog`."""
        jobs = self._ledger.unfinished()
        oldest_s = time.time() - jobs[0].created_at if jobs else 0.0
        return Backlog(len(jobs), sum(job.remaining_units for job in jobs), oldest_s)

    async def check(self) -> None:
        """See `JobQueue.check`."""
        self._admit_any()
        if not self._inference.ready.is_set():
            raise NotReady("The networks are being loaded.", retry_after_s=5)

    def _admit_any(self) -> None:
        if self._stopping:
            raise NotReady("The server is stopping; send the picture again in a moment.", retry_after_s=10)
        if self._inference.fault:
            raise NotReady("The networks could not be loaded; the server's log says why.", retry_after_s=60)

    def _update(self, job_id: str, **changes: Any) -> Job | None:
        """Change a job, from any thread; at its end also count it."""
        ends = changes.get("state", State.RUNNING).ended
        if ends:
            now = time.time()
            changes |= {"ended_at": now, "expires_at": now + self._settings.result_ttl_s}
            self._spool.upload(job_id).unlink(missing_ok=True)
        job = self._ledger.update(job_id, **changes)
        if ends and job is None:  # cancelled meanwhile: leave nothing behind
            self._spool.result(job_id).unlink(missing_ok=True)
        if job and job.state.ended and job.ended_at:
            self._work.pop(job_id, None)
            self._metrics.job_ended(job.order.task, job.state, job.ended_at - job.created_at, job.stages)
        return job

    async def _sweep(self) -> None:
        """Delete results whose time has come, for ever."""
        while True:
            await asyncio.sleep(min(5.0, self._settings.result_ttl_s / 4))
            now = time.time()
            ended = [job for job in self._ledger.all() if job.state.ended]
            for job in ended:
                if not job.expired and job.expires_at and job.expires_at <= now:
                    self._expire(job)
            for job in [job for job in ended if job.expired][:-EXPIRED_JOBS_KEPT]:
                self._ledger.remove(job.id)

    def _expire(self, job: Job) -> None:
        self._spool.result(job.id).unlink(missing_ok=True)
        self._ledger.expire(job.id)
        self._forget_key(job)

    def _forget_key(self, job: Job) -> None:
        key = (job.order.owner, job.order.idempotency_key or "")
        if self._by_key.get(key) == job.id:  # the key may stand for a newer one
            del self._by_key[key]
