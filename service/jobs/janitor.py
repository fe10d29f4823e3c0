"""The janitor: gives dead workers' jobs to others, lets results expire, and sweeps up what killed processes left.

Any number may run; one leads, and another takes over within seconds of its end.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from typing import Any, Final

from redis import Redis
from rq import Queue
from rq.registry import FailedJobRegistry, ScheduledJobRegistry
from rq.scheduler import RQScheduler
from rq.worker_registration import clean_worker_registry

from service.jobs import control, records
from service.jobs.attempts import BEAT_S, LIFE_S
from service.jobs.blobs import Blobs
from service.jobs.connection import UNREACHABLE
from service.jobs.job import Job
from service.jobs.records import script
from service.settings import Settings

log = logging.getLogger(__name__)

TICK_S: Final = 0.5
RECONCILE_S: Final = 2.0
LEADER: Final = "unseam:janitor"
LEAD_S: Final = 5.0
JUMP_S: Final = 1.0  # a clock that moved by so much more or less than time did was set


class Janitor:
    """See the module. `tick` is one round; `run` is rounds until it is told to stop."""

    def __init__(self, connection: Redis, settings: Settings, blobs: Blobs, name: str) -> None:
        self._redis: Any = connection
        self._settings, self._blobs, self._name = settings, blobs, name
        self._queues = list(control.queues(connection).values())
        self._lead, self._put_back, self._expire = (script(connection, name) for name in ("lead", "put_back", "expire"))
        self._scheduler: Any = _Scheduler(
            self._queues, connection=connection, logging_level="WARNING", serializer=self._queues[0].serializer
        )
        self._clock = _Clock()
        self._popped: dict[str, float] = {}  # seen in an intermediate list, since when
        self._missing: set[str] = set()  # unfinished jobs that RQ does not know
        self._orphans: dict[str, float] = {}  # blobs of no job, since when
        self._next_reconcile = self._next_sweep = 0.0

    def run(self, stop: threading.Event) -> None:
        """Rounds until `stop` is set."""
        while not stop.wait(TICK_S):
            try:
                self.tick()
            except UNREACHABLE as error:
                log.warning("Redis is away: %s", error)
                self._clock.disturb()
        with suppress(*UNREACHABLE):  # then the lead runs out
            if self._redis.get(LEADER) == self._name.encode():
                self._redis.delete(LEADER)

    def tick(self) -> None:
        """One round, if this janitor leads."""
        answer = self._lead(args=[LEADER, self._name, LEAD_S])
        if not answer:
            self._clock.disturb()
            return
        redis_now = float(answer)
        self._clock.see(redis_now)
        for queue in self._queues:
            self._rescue_popped(queue)
            if self._clock.quiet:
                self._requeue_abandoned(queue, redis_now)
        self._schedule()
        self._expire_results()
        if time.monotonic() >= self._next_reconcile:
            self._next_reconcile = time.monotonic() + RECONCILE_S
            self._reconcile()
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + self._settings.sweep_s
            self._sweep()

    def _requeue_abandoned(self, queue: Queue, redis_now: float) -> None:
        """Put jobs whose worker's heart stopped back in front of their queue."""
        registry = control.started(queue)
        latest = redis_now + LIFE_S + BEAT_S
        if early := self._redis.zrangebyscore(registry.key, f"({latest}", "+inf"):  # the clock was set back since
            self._redis.zadd(registry.key, dict.fromkeys(early, latest), xx=True)
        if abandoned := registry.get_expired_job_ids(redis_now):
            log.warning("abandoned by their worker: %s", ", ".join(abandoned))
            registry.cleanup(timestamp=redis_now)

    def _rescue_popped(self, queue: Queue) -> None:
        """Put back what a worker popped and did not begin."""
        key, now = queue.intermediate_queue_key, time.monotonic()
        popped = {f"{key} {job_id.decode()}": job_id.decode() for job_id in self._redis.lrange(key, 0, -1)}
        others = {entry: since for entry, since in self._popped.items() if not entry.startswith(f"{key} ")}
        self._popped = others | {entry: self._popped.get(entry, now) for entry in popped}
        for entry, job_id in popped.items():
            if now - self._popped[entry] > LIFE_S:
                log.warning("popped and not begun: %s", job_id)
                self._put_back(args=[queue.key, key, "", "", job_id, "front"])

    def _schedule(self) -> None:
        """Enqueue what waited for its retry; never later than its wait, whatever happened to the clock."""
        for queue in self._queues:
            registry = ScheduledJobRegistry(queue=queue)  # type: ignore[no-untyped-call]
            late = self._redis.zrangebyscore(registry.key, time.time() + 2 * control.BACKOFF_S, "+inf")
            if late:
                self._redis.zadd(registry.key, dict.fromkeys(late, time.time()), xx=True)
        self._scheduler.enqueue_scheduled_jobs()

    def _expire_results(self) -> None:
        for name in records.decoded(self._expire(args=[])):
            self._blobs.delete(name)

    def _reconcile(self) -> None:
        """Enqueue accepted jobs that RQ does not know: their API process was killed before it could."""
        for queue in self._queues:
            clean_worker_registry(queue)
            for job_id in FailedJobRegistry(queue=queue).get_job_ids(cleanup=False):  # by a worker that is not ours
                self._redis.zrem(FailedJobRegistry(queue=queue).key, job_id)
                self._redis.delete(queue.job_class.key_for(job_id))
        unfinished = records.decoded(self._redis.zrange(records.UNFINISHED, 0, -1))
        with self._redis.pipeline(transaction=False) as commands:
            for job_id in unfinished:
                commands.exists(self._queues[0].job_class.key_for(job_id))
            known = commands.execute()
        missing = {job_id for job_id, exists in zip(unfinished, known, strict=True) if not exists}
        for job_id in missing & self._missing:
            job = records.read(self._redis, job_id)
            if job and not job.state.ended:
                log.warning("accepted and not in the queue: %s", job_id)
                control.enqueue(self._redis, job_id, job.order, self._settings.large_tile_units, at_front=True)
        self._missing = missing

    def _sweep(self) -> None:
        """Delete blobs that belong to no job, once they have been seen so for a while."""
        now = time.monotonic()
        jobs: dict[str, Job | None] = {}
        orphans = {}
        for name in self._blobs.names():
            kind, _, rest = name.partition("/")
            job_id = rest.partition("/")[0].partition(".")[0]
            if job_id not in jobs:
                jobs[job_id] = records.read(self._redis, job_id)
            if not self._belongs(kind, name, jobs[job_id]):
                orphans[name] = self._orphans.get(name, now)
        self._orphans = orphans
        for name, since in orphans.items():
            if now - since >= self._settings.sweep_s / 2:
                log.info("belongs to no job: %s", name)
                self._blobs.delete(name)

    def _belongs(self, kind: str, name: str, job: Job | None) -> bool:
        if job is None:
            return False
        if kind == "results" and job.state.ended:
            return not job.expired and self._redis.hget(records.record(job.id), "blob") == name.encode()
        return not job.state.ended


class _Scheduler(RQScheduler):
    """RQ's scheduler for the janitor that leads, hence without locks, which would outlive a killed one by a minute.

    On the connection it is given: it would make another one, which knows no Sentinel.
    """

    def __init__(self, queues: list[Queue], connection: Redis, **options: Any) -> None:
        super().__init__(queues, connection=connection, **options)
        self._given = connection
        self._acquired_locks = set(self._queue_names)

    @property
    def connection(self) -> Redis:
        return self._given


class _Clock:
    """Notices when heartbeats cannot be judged: Redis was away or held up, or its clock was set."""

    def __init__(self) -> None:
        self._seen: tuple[float, float] | None = None
        self._quiet_from = 0.0
        self.disturb()

    @property
    def quiet(self) -> bool:
        """Whether workers have had the time to be heard again."""
        return time.monotonic() >= self._quiet_from

    def disturb(self) -> None:
        """From now on, wait for as long as a worker that lives needs to be heard."""
        self._seen = None
        self._quiet_from = time.monotonic() + LIFE_S + BEAT_S

    def see(self, redis_now: float) -> None:
        """Compare Redis' clock with the time that has passed."""
        before, self._seen = self._seen, (redis_now, time.monotonic())
        if before:
            passed, shown = self._seen[1] - before[1], redis_now - before[0]
            if abs(shown - passed) > JUMP_S or passed > LIFE_S / 2:
                log.warning("%.1f s passed, Redis' clock says %.1f s: workers get time to be heard", passed, shown)
                self.disturb()
                self._seen = (redis_now, time.monotonic())
