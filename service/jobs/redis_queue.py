"""The queue over Redis, as the API sees it: it accepts, answers and waits, and the work is done by `unseam worker`."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from service.errors import (
    IdempotencyKeyReused,
    JobFailed,
    JobNotFound,
    NoResult,
    NotReady,
    ResultExpired,
)
from service.jobs import connection, control, records
from service.jobs.away import reached, stored
from service.jobs.blobs import Blobs
from service.jobs.connection import UNREACHABLE
from service.jobs.job import Job, Order, State, new_id
from service.jobs.listener import Listener
from service.jobs.queue import Backlog, Outlook
from service.jobs.records import script
from service.jobs.redis_backlog import RedisBacklog
from service.jobs.spool import Spool
from service.metrics import Metrics
from service.settings import Settings

log = logging.getLogger(__name__)

RETRY_S: Final = 0.5  # between attempts to read while Redis is away
FORGET_S: Final = 60
CANCELLED_BY_CLIENT: Final = ""  # in place of an attempt


class RedisQueue:
    """A `JobQueue` for any number of API processes; made and used on one event loop."""

    outlasts_process = True

    def __init__(self, settings: Settings, blobs: Blobs, metrics: Metrics) -> None:
        assert settings.redis_url
        self._settings, self._blobs, self._metrics = settings, blobs, metrics
        self._spool = Spool(settings.spool)
        self._blocking = connection.connect(settings.redis_url)  # RQ's
        self._client: Any = connection.connect_async(settings.redis_url)  # its stubs know neither bytes nor pipelines
        self._listener = Listener(self._client)
        self._backlog = RedisBacklog(settings, self._client)
        self._submit, self._finish, self._expire = (
            script(self._client, name) for name in ("submit", "finish", "expire")
        )

    @property
    def folder(self) -> Path:
        """Where uploads are to be put for `submit`."""
        return self._spool.folder

    async def start(self) -> None:
        """Begin to listen. Raises InvalidAddress for a Redis Cluster; one that is away is waited for."""
        try:
            await asyncio.to_thread(connection.refuse_cluster, self._blocking)
        except UNREACHABLE as error:
            log.warning("Redis cannot be reached yet: %s", error)
        self._listener.start()

    async def stop(self) -> None:
        """Stop to listen. Jobs go on."""
        await self._listener.stop()
        await self._client.aclose()
        self._blocking.close()
        self._spool.remove()

    async def submit(self, order: Order, upload: Path) -> Job:
        """See `JobQueue.submit`."""
        if order.idempotency_key and (job := await self._made_before(order)):
            return job
        await self._backlog.admit(order.tile_units, order.body_bytes)
        job_id = new_id()
        blob = f"uploads/{job_id}"
        with stored():
            await asyncio.to_thread(self._blobs.put_file, blob, upload)
        arguments = records.submission(
            job_id,
            order,
            max_cost_units=self._settings.max_backlog_tile_units,
            max_bytes=self._settings.max_spool_bytes,
        )
        with reached():  # where the answer is lost, the blob stays: there may be a job for it, else the janitor comes
            verdict, found = records.decoded(await self._submit(args=arguments))
        if verdict != "accepted":
            await asyncio.to_thread(self._blobs.delete, blob)
        match verdict:
            case "overloaded":
                raise await self._backlog.overloaded(order.tile_units)
            case "full":
                raise await self._backlog.full()
            case "reused":
                raise _reused(found)
            case "accepted":
                await self._enqueue(job_id, order)
        return await self.get(found)

    async def get(self, job_id: str) -> Job:
        """See `JobQueue.get`."""
        with reached():
            fields = await self._client.hgetall(records.record(job_id))
        if not fields:
            raise JobNotFound(f"There is no job {job_id!r}.", job=job_id)
        return records.parse(job_id, fields)

    async def watch(self, job_id: str) -> AsyncIterator[Job]:
        """See `JobQueue.watch`; while Redis is away, it waits."""
        with self._listener.watching(job_id) as changed:
            while True:
                changed.clear()
                try:
                    job = await self.get(job_id)
                except NotReady:
                    await asyncio.sleep(RETRY_S)
                    changed.set()
                else:
                    yield job
                    if job.state.ended:
                        return
                await changed.wait()

    async def admit(self, tile_units: float, body_bytes: int) -> None:
        """See `JobQueue.admit`."""
        await self._backlog.admit(tile_units, body_bytes)

    async def outlook(self, job_id: str) -> Outlook | None:
        """See `JobQueue.outlook`."""
        return await self._backlog.outlook(job_id)

    async def backlog(self) -> Backlog:
        """See `JobQueue.backlog`."""
        return await self._backlog.size()

    async def cancel(self, job_id: str) -> Job:
        """See `JobQueue.cancel`."""
        job = await self.get(job_id)
        if job.state.ended:
            with reached():
                gone = await self._expire(args=[job_id])
            names = records.decoded(gone)
        else:
            arguments = records.ending(
                job_id,
                CANCELLED_BY_CLIENT,
                State.CANCELLED,
                result_ttl_s=self._settings.result_ttl_s,
                record_ttl_s=self._settings.record_ttl_s,
            )
            with reached():
                ended = await self._finish(args=arguments)
            names = [f"uploads/{job_id}"] if ended else []
            if ended:
                self._metrics.jobs.labels(job.order.task, State.CANCELLED).inc()
        for name in names:
            await asyncio.to_thread(self._blobs.delete, name)
        return await self.get(job_id)

    async def forget(self, job_id: str) -> None:
        """See `JobQueue.forget`; the record goes a little later, as workers and janitor may be reading it."""
        await self.cancel(job_id)
        with reached():
            await self._client.expire(records.record(job_id), FORGET_S)

    async def result(self, job_id: str) -> tuple[Job, Path]:
        """See `JobQueue.result`."""
        job = await self.get(job_id)
        if job.failure:
            raise JobFailed(job.failure)
        if job.state is not State.SUCCEEDED:
            raise NoResult(f"The job is {job.state}; it has no result.", job=job_id, state=job.state)
        with reached():
            blob = await self._client.hget(records.record(job_id), "blob")
        path = self._spool.folder / f"{job_id}.{secrets.token_hex(8)}.lent"
        try:
            if job.expired or blob is None:
                raise FileNotFoundError
            with stored():
                await asyncio.to_thread(self._blobs.fetch, blob.decode(), path)
        except BaseException as error:
            path.unlink(missing_ok=True)
            if isinstance(error, FileNotFoundError):
                raise ResultExpired("The result is no longer kept; restore the picture again.", job=job_id) from None
            raise
        return job, path

    async def check(self) -> None:
        """See `JobQueue.check`; a minute without any worker is no fault: they may be restarting."""
        with reached():
            served = await self._client.exists(records.SERVED)
        if not served:
            raise NotReady("No worker is running (unseam worker); jobs are kept until one is.", retry_after_s=10)

    async def _made_before(self, order: Order) -> Job | None:
        with reached():
            found = await self._client.get(records.idempotency_key(order.owner, order.idempotency_key or ""))
        if found is None:
            return None
        try:
            job = await self.get(found.decode())
        except JobNotFound:
            return None
        if job.order.fingerprint != order.fingerprint:
            raise _reused(job.id)
        return job

    async def _enqueue(self, job_id: str, order: Order) -> None:
        try:
            await asyncio.to_thread(control.enqueue, self._blocking, job_id, order, self._settings.large_tile_units)
        except UNREACHABLE as error:  # it is accepted: the janitor enqueues what is not
            log.warning("job %s is not in the queue yet: %s", job_id, error)


def _reused(job_id: str) -> IdempotencyKeyReused:
    return IdempotencyKeyReused(
        "This Idempotency-Key was used for another picture or other parameters; take a new one.", job=job_id
    )
