"""How control jobs come to a worker: popped from its lanes' queues, and turned away where they are none for it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, Final

from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job as ControlJob
from rq.serializers import JSONSerializer

from service.jobs import control
from service.jobs.account import Account
from service.jobs.attempts import Execution
from service.jobs.job import Job
from service.metrics import Metrics

log = logging.getLogger(__name__)

POLL_S: Final = 0.5  # how long an empty queue is listened to before the others are looked at again


class Door:
    """One worker's; used by its main thread alone."""

    def __init__(self, connection: Redis, account: Account, metrics: Metrics) -> None:
        self._redis: Any = connection  # its stubs do not know that it answers with bytes
        self._account = account
        self._foreign = metrics.rejected.labels("foreign-job")  # from 0 on: Prometheus sees no increase to a first 1
        self._lacking: set[str] = set()  # networks that jobs asked for
        self._passed_on: set[str] = set()  # jobs, since one of them came round again
        self._last_first = False  # or jobs that are left to others would hide the lanes behind theirs
        self.queues = control.queues(connection)

    def pop(self, lanes: Sequence[str]) -> tuple[ControlJob, Queue] | None:
        """The next control job of these lanes, the first first; None if there is none for a while."""
        order, self._last_first = lanes[::-1] if self._last_first else lanes, False
        for queue in (self.queues[lane] for lane in order):
            if job_id := self._redis.lmove(queue.key, queue.intermediate_queue_key):
                return self._fetch(job_id.decode(), queue)
        queue = self.queues[lanes[0]]
        job_id = self._redis.blmove(queue.key, queue.intermediate_queue_key, POLL_S)
        return self._fetch(job_id.decode(), queue) if job_id else None

    def refuse(self, job: ControlJob, queue: Queue) -> None:
        """Delete a control job that is none of ours."""
        log.error("a foreign job %s in the queue %s is refused and deleted", job.id, queue.name)
        self._foreign.inc()
        with self._redis.pipeline() as commands:
            commands.lrem(queue.intermediate_queue_key, 1, job.id)
            commands.delete(job.key)
            commands.execute()

    def pass_on(self, job: Job, execution: Execution) -> None:
        """Leave a job to a worker that has its network: where one is new, not every worker was started since."""
        self._account.put_back(job.id, execution, behind=True)
        if job.order.model not in self._lacking:
            log.warning("this worker has no network %s: its jobs are left to others", job.order.model)
            self._lacking.add(job.order.model)
        if job.id in self._passed_on:  # everything else in the queue is begun
            self._passed_on.clear()
            self._last_first = True
            time.sleep(POLL_S)
        self._passed_on.add(job.id)

    def _fetch(self, job_id: str, queue: Queue) -> tuple[ControlJob, Queue] | None:
        try:
            return ControlJob.fetch(job_id, connection=self._redis, serializer=JSONSerializer), queue
        except NoSuchJobError:
            self._redis.lrem(queue.intermediate_queue_key, 1, job_id)
            return None
