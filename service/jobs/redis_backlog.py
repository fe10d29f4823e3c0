"""The backlog in Redis: who is let in, and how long it takes, from the totals that the scripts keep."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from service.errors import Overloaded, StorageFull
from service.jobs import records
from service.jobs.away import reached
from service.jobs.queue import Backlog, Outlook
from service.planning import TILE_UNIT_PIXELS
from service.settings import Settings


class RedisBacklog:
    """Each question is a few commands, however many jobs wait."""

    def __init__(self, settings: Settings, client: Any) -> None:
        """`client` is one for the event loop."""
        self._settings, self._client = settings, client

    async def admit(self, tile_units: float, body_bytes: int) -> None:
        """See `JobQueue.admit`."""
        with reached():
            unfinished, (cost, held) = await asyncio.gather(
                self._client.exists(records.UNFINISHED), self._client.hmget(records.TOTALS, ["cost", "bytes"])
            )
        waiting = int(cost or 0) + records.pixels(tile_units)
        if unfinished and waiting > records.pixels(self._settings.max_backlog_tile_units):
            raise await self.overloaded(tile_units)
        if int(held or 0) + body_bytes > self._settings.max_spool_bytes:
            raise await self.full()

    async def outlook(self, job_id: str) -> Outlook | None:
        """See `JobQueue.outlook`."""
        with reached():
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.zrank(records.UNFINISHED, job_id)
                pipeline.hmget(records.record(job_id), ["until", "remaining"])
                pipeline.hgetall(records.TOTALS)
                pipeline.hgetall(records.PACE)
                pipeline.zcard(records.WORKERS)
                position, (until, remaining), totals, pace, workers = await pipeline.execute()
        if position is None or until is None:
            return None
        done = int(totals[b"accepted"]) - int(totals[b"cost"])
        cost = max(int(until) - done, int(remaining))  # all that was accepted up to this job, less what is done
        return Outlook(position, records.seconds_left(cost, totals, pace, workers))

    async def size(self) -> Backlog:
        """See `JobQueue.backlog`."""
        with reached():
            oldest = await self._client.zrange(records.UNFINISHED, 0, 0)
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.zcard(records.UNFINISHED)
                pipeline.hget(records.TOTALS, "cost")
                pipeline.time()
                pipeline.hget(records.record(oldest[0].decode() if oldest else ""), "created_at")
                jobs, cost, (seconds, _), created_at = await pipeline.execute()
        age_s = max(0.0, seconds - float(created_at)) if created_at else 0.0
        return Backlog(jobs, int(cost or 0) / TILE_UNIT_PIXELS, age_s)

    async def overloaded(self, tile_units: float) -> Overloaded:
        """The refusal of so much work, with the time after which there will be room for it."""
        with reached():
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.hgetall(records.TOTALS)
                pipeline.hgetall(records.PACE)
                pipeline.zcard(records.WORKERS)
                pipeline.zcard(records.UNFINISHED)
                totals, pace, workers, unfinished = await pipeline.execute()
        waiting = int(totals.get(b"cost", 0))
        excess = waiting + records.pixels(tile_units) - records.pixels(self._settings.max_backlog_tile_units)
        seconds = records.seconds_left(min(max(excess, 0), waiting), totals, pace, workers)
        retry_after_s = max(1, math.ceil(seconds))
        return Overloaded(
            f"The backlog is full; there will be room for this picture in about {retry_after_s} s.",
            retry_after_s=retry_after_s,
            backlog_jobs=unfinished,
            backlog_tile_units=round(waiting / TILE_UNIT_PIXELS, 1),
            tile_units=round(tile_units, 1),
            max_backlog_tile_units=self._settings.max_backlog_tile_units,
        )

    async def full(self) -> StorageFull:
        """The refusal of an upload, with the time after which the next result goes."""
        with reached():
            first = await self._client.zrange(records.EXPIRING, 0, 0, withscores=True)
            seconds, microseconds = await self._client.time()
        now = seconds + microseconds / 1e6
        return StorageFull(
            "There is no room for another upload until results expire or are deleted (DELETE /jobs/{id}).",
            retry_after_s=max(1, math.ceil(first[0][1] - now)) if first else 10,
            max_spool_bytes=self._settings.max_spool_bytes,
        )
