"""Who is let in: a bound on the work that waits, and on the bytes that are kept."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from service.errors import Overloaded, StorageFull
from service.jobs.job import Job
from service.jobs.pace import Pace


def admit_work(unfinished: Sequence[Job], tile_units: float, max_tile_units: int, pace: Pace) -> None:
    """Raise Overloaded if the backlog has no room for `tile_units` more; Retry-After is when it will have.

    A picture that no backlog would hold is let in when nothing else waits.

    Args:
        unfinished: the jobs that wait or run, in the order in which they are done.
        tile_units: what the new one costs.
        max_tile_units: that may wait.
        pace: how fast the backlog shrinks.
    """
    waiting = sum(job.remaining_units for job in unfinished)
    excess = waiting + tile_units - max_tile_units
    if not unfinished or excess <= 0:
        return
    seconds, to_do = 0.0, min(excess, waiting)
    for job in unfinished:  # room is made by the oldest
        units = min(job.remaining_units, to_do)
        seconds += pace.seconds(job.order.model, units)
        to_do -= units
    retry_after_s = max(1, math.ceil(seconds))
    raise Overloaded(
        f"The backlog is full; there will be room for this picture in about {retry_after_s} s.",
        retry_after_s=retry_after_s,
        backlog_jobs=len(unfinished),
        backlog_tile_units=round(waiting, 1),
        tile_units=round(tile_units, 1),
        max_backlog_tile_units=max_tile_units,
    )


def admit_bytes(jobs: Sequence[Job], body_bytes: int, max_bytes: int) -> None:
    """Raise StorageFull if uploads and results leave no room for `body_bytes`; Retry-After is the next expiry."""
    if sum(map(_bytes_held, jobs)) + body_bytes <= max_bytes:
        return
    expiries = [job.expires_at for job in jobs if job.expires_at and _bytes_held(job)]
    raise StorageFull(
        "There is no room for another upload until results expire or are deleted (DELETE /jobs/{id}).",
        retry_after_s=max(1, math.ceil(min(expiries) - time.time())) if expiries else 10,
        max_spool_bytes=max_bytes,
    )


def _bytes_held(job: Job) -> int:
    """On the disk for a job: its upload, or its result."""
    if not job.state.ended:
        return job.order.body_bytes
    return job.result.size_bytes if job.result and not job.expired else 0
