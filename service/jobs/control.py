"""The RQ queues: control jobs that name a record, nothing else. JSON, and one callable that is let in.

RQ hands jobs to workers and remembers who is at what; what a job is, and where it stands, `service.jobs.records` knows.
"""

from __future__ import annotations

from typing import Final

from redis import Redis
from rq import Queue, Retry
from rq.exceptions import DeserializationError, DuplicateJobError
from rq.job import Job as ControlJob
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from service.jobs.job import Order
from service.jobs.lanes import LARGE, SMALL, lane

# Never imported, never called: the worker compares this name and does the record's order itself.
RESTORE: Final = "service.jobs.worker.restore"

QUEUES: Final = {SMALL: "unseam", LARGE: "unseam-large"}
FOR_EVER: Final = -1
BACKOFF_S: Final = 2  # before the third and later attempts, which are unlikely to fare better at once
# The record counts attempts; RQ gives abandoned jobs back only while it has retries left.
RETRY: Final = Retry(max=20, interval=[0, *[BACKOFF_S] * 19], enqueue_at_front=True)


def queues(connection: Redis) -> dict[str, Queue]:
    """The queue of each lane."""
    return {lane: Queue(name, connection=connection, serializer=JSONSerializer) for lane, name in QUEUES.items()}


def enqueue(connection: Redis, job_id: str, order: Order, large_tile_units: float, *, at_front: bool = False) -> bool:
    """Put a job into its lane's queue; false if RQ has it already."""
    queue = queues(connection)[lane(order, large_tile_units)]
    try:
        queue.enqueue_call(
            RESTORE,
            args=(job_id,),
            job_id=job_id,
            timeout=FOR_EVER,
            result_ttl=0,
            failure_ttl=3600,
            description=order.task,
            retry=RETRY,
            at_front=at_front,
            unique=True,
        )
    except DuplicateJobError:
        return False
    return True


def allowed(job: ControlJob) -> bool:
    """Whether a control job is one of ours: the one callable, with its own id."""
    try:
        return job.func_name == RESTORE and list(job.args) == [job.id] and not job.kwargs
    except DeserializationError:
        return False


def started(queue: Queue) -> StartedJobRegistry:
    """RQ's account of what workers are at, by when their heartbeat ends on Redis' clock."""
    return StartedJobRegistry(queue=queue, job_class=queue.job_class)
