"""A job that waits does not change, but what comes before it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from service.jobs.job import Job, State


async def refreshed(snapshots: AsyncIterator[Job], seconds: float) -> AsyncIterator[Job]:
    """A job's snapshots to its end; of a queued job the last one again every so many seconds, for its new outlook."""
    job = await anext(snapshots)
    yield job
    while not job.state.ended:
        coming = asyncio.ensure_future(anext(snapshots))
        try:
            while not (await asyncio.wait({coming}, timeout=seconds if job.state is State.QUEUED else None))[0]:
                yield job
            job = coming.result()
        finally:
            coming.cancel()
        yield job
