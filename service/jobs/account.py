"""How attempts begin and end, in the job's record and in RQ's books.

An end is told to the record first and to RQ afterwards. So an attempt whose worker dies in between is found by the
janitor, and nothing is done twice.
"""

from __future__ import annotations

import logging
import uuid
from contextlib import suppress
from typing import Any

from redis import Redis
from rq import Queue
from rq.job import Job as ControlJob

from service.errors import QUARANTINED
from service.jobs import control, records
from service.jobs.attempts import LIFE_S, Attempt, Execution
from service.jobs.blobs import Blobs
from service.jobs.connection import UNREACHABLE
from service.jobs.job import Job, State
from service.jobs.lanes import LARGE
from service.jobs.patience import keep_trying, until_reached
from service.jobs.records import script
from service.metrics import Metrics
from service.settings import Settings

log = logging.getLogger(__name__)


class Account:
    """One worker's account of its attempts; from any thread."""

    def __init__(self, connection: Redis, settings: Settings, blobs: Blobs, metrics: Metrics) -> None:
        self._redis: Any = connection  # its stubs do not know that it answers with bytes
        self._settings, self._blobs, self._metrics = settings, blobs, metrics
        self._take, self._start, self._finish, self._release, self._put_back = (
            script(connection, name) for name in ("take", "start", "finish", "release", "put_back")
        )

    def take(self, job_id: str, queue: Queue) -> Execution | None:
        """Take a popped control job over, so that it is this worker's; None if it was put back meanwhile."""
        execution = Execution(queue, control.started(queue).key, f"{job_id}:{uuid.uuid4().hex}")
        taken = self._take(args=[queue.intermediate_queue_key, execution.registry, execution.member, job_id, LIFE_S])
        return execution if taken else None

    def attempts(self, job_id: str) -> int:
        """How many attempts at a job were begun, and not given back."""
        return int(self._redis.hget(records.record(job_id), "attempt") or 0)

    def start(self, job_id: str, execution: Execution) -> int | None:
        """Begin an attempt; its number, or None if there is nothing to be done."""
        settings = self._settings
        limits = settings.max_attempts, settings.result_ttl_s, settings.record_ttl_s
        failure = records.dump_failure(QUARANTINED)
        verdict, number = self._start(args=[job_id, execution.member, execution.registry, LIFE_S, *limits, failure])
        if verdict == b"started":
            return int(number)
        log.info("job %s is not started: %s", job_id, verdict.decode())
        self._leave(execution, None if verdict == b"busy" else job_id)
        if verdict == b"quarantined":
            self._count(records.read(self._redis, job_id))
            keep_trying(lambda: self._blobs.delete(f"uploads/{job_id}"))
        return None

    def end(self, attempt: Attempt, state: State, **outcome: Any) -> None:
        """Tell how an attempt ended, and delete what nobody needs any more."""
        job_id, result = attempt.job_id, outcome.get("result")
        if state is not State.CANCELLED and not attempt.given_back:
            told = self._tell(attempt, state, **outcome)
            if result and not told:  # somebody else's attempt, or cancelled meanwhile
                self._blobs.delete(attempt.result_blob)
        job = until_reached(lambda: records.read(self._redis, job_id))
        if job is None or job.state.ended:
            if attempt.lane == LARGE:  # an earlier attempt may have been shared
                for name in list(self._blobs.names(f"tiles/{job_id}/")):
                    self._blobs.delete(name)
            keep_trying(lambda: self._blobs.delete(f"uploads/{job_id}"))
            until_reached(lambda: self._leave(attempt.execution, job_id))
        elif not attempt.given_back:
            until_reached(lambda: self._leave(attempt.execution, None))

    def cancel(self, attempt: Attempt) -> None:
        """End an attempt's job for good."""
        self._tell(attempt, State.CANCELLED)
        attempt.work.cancelled.set()

    def give_back(self, attempt: Attempt) -> None:
        """Leave an attempt's job to another worker, as if it had not been begun."""
        log.info("job %s is given back", attempt.job_id)
        attempt.given_back = True
        attempt.work.cancelled.set()
        with suppress(*UNREACHABLE):  # then the janitor finds it
            if self._release(args=[attempt.job_id, attempt.number]):
                self.put_back(attempt.job_id, attempt.execution)

    def put_back(self, job_id: str, execution: Execution, *, behind: bool = False) -> None:
        """Put a control job that was taken back in front of its queue, or behind it."""
        queue, place = execution.queue, "behind" if behind else "front"
        self._put_back(
            args=[queue.key, queue.intermediate_queue_key, execution.registry, execution.member, job_id, place]
        )

    def _tell(self, attempt: Attempt, state: State, **outcome: Any) -> bool:
        arguments = records.ending(
            attempt.job_id,
            attempt.number,
            state,
            result_ttl_s=self._settings.result_ttl_s,
            record_ttl_s=self._settings.record_ttl_s,
            blob=attempt.result_blob,
            **outcome,
        )
        if not until_reached(lambda: self._finish(args=arguments)):
            return False
        self._count(until_reached(lambda: records.read(self._redis, attempt.job_id)))
        return True

    def _leave(self, execution: Execution, done: str | None) -> None:
        """End an execution in RQ's books, and its control job too if that is `done`."""
        with self._redis.pipeline() as commands:
            commands.zrem(execution.registry, execution.member)
            if done:
                commands.delete(ControlJob.key_for(done))
            commands.execute()

    def _count(self, job: Job | None) -> None:
        if job and job.ended_at:
            self._metrics.job_ended(job.order.task, job.state, job.ended_at - job.created_at, job.stages)
