"""A worker: an RQ worker that keeps its networks warm and is at several pictures at once.

RQ's loop pops control jobs; each becomes an attempt that goes through the lanes' threads, and its end is told to the
record first, to RQ afterwards. So an attempt that dies in between is found by the janitor, and nothing is done twice.
"""

from __future__ import annotations

import functools
import logging
import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from redis import Redis
from redis.client import Pipeline as Commands
from rq import Queue, SimpleWorker
from rq.command import parse_payload
from rq.exceptions import NoSuchJobError, StopRequested
from rq.job import Job as ControlJob
from rq.serializers import JSONSerializer

from imaging.codec import Limits
from imaging.restoration import Run
from imaging.tiling import Plan
from service.errors import Failure
from service.jobs import control, leases, records
from service.jobs.attempts import LIFE_S, Attempt, Attempts, Reporter
from service.jobs.blobs import Blobs
from service.jobs.connection import UNREACHABLE
from service.jobs.helper import Helper
from service.jobs.inference import Inference
from service.jobs.job import Job, Result, State
from service.jobs.lanes import LARGE, SMALL, Lanes
from service.jobs.leases import Shared
from service.jobs.pace import Pace
from service.jobs.pipeline import Work
from service.jobs.records import script
from service.metrics import Metrics
from service.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

POLL_S: Final = 0.5  # a large picture waits so long for an idle worker, at most
STORE_RETRIES_S: Final = (0.2, 0.5, 1, 2, 4, 8)  # waits between attempts to read and write blobs
EXIT_STALLED: Final = 70  # EX_SOFTWARE
QUARANTINED: Final = Failure(
    "quarantined",
    "Every worker that tried this picture ended abruptly; it is not tried again. Please report it.",
)


class RestorationWorker(SimpleWorker):
    """One for each device. `run` works until it is told to stop, or is due to be recycled."""

    def __init__(
        self,
        connection: Redis,
        settings: Settings,
        inference: Inference,
        blobs: Blobs,
        *,
        limits: Limits,
        metrics: Metrics,
        pace: Pace,
    ) -> None:
        self._redis: Any = connection  # its stubs do not know that it answers with bytes
        self._lane_queues = control.queues(connection)
        super().__init__(
            list(self._lane_queues.values()), connection=connection, serializer=JSONSerializer, worker_ttl=60
        )
        self._settings, self._inference, self._blobs, self._metrics = settings, inference, blobs, metrics
        self._slots = {SMALL: 2 * settings.jobs_at_once, LARGE: 1}  # of small ones, as many wait decoded
        self._attempts = Attempts()
        self._helper = Helper(connection, settings, inference, blobs, self._may_help, limits=limits, metrics=metrics)
        self._reporter = Reporter(
            connection, self.name, self._attempts, pace, held=lambda: self._helper.held, watchdog=self._end_if_stalled
        )
        self._suspect: str | None = None
        self._lanes = Lanes(settings, inference, self._update, limits=limits, metrics=metrics)
        self._ended = 0
        self._memory_at_start = 0
        self._take, self._start, self._finish, self._release, self._put_back = (
            script(connection, name) for name in ("take", "start", "finish", "release", "put_back")
        )

    def run(self) -> None:
        """Load the networks, work, and leave nothing half-done behind. Raises if the networks cannot be loaded."""
        self._inference.start()
        self._inference.wait()
        self._memory_at_start = _resident_bytes()
        self._lanes.start()
        self._reporter.start()
        self._helper.start()
        log.info("worker %s is warm", self.name)
        try:
            self.work(logging_level="WARNING")
        finally:
            self._drain()

    # What RQ's loop calls -----------------------------------------------------------------------------------------

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[ControlJob, Queue] | None:
        """The next control job for which there is room; None when the worker is due to be recycled."""
        while not self._stop_requested:
            if self._due_to_recycle():
                return None
            try:
                popped = self._pop()
            except UNREACHABLE as error:
                log.warning("Redis is away: %s", error)
                time.sleep(POLL_S)
                continue
            if popped:
                return popped
        raise StopRequested

    def execute_job(self, job: ControlJob, queue: Queue) -> None:
        """Begin an attempt at a control job; one that took a worker down before is done alone."""
        with suppress(*UNREACHABLE):  # whatever was begun, the janitor finds
            if not control.allowed(job):
                self._refuse(job, queue)
                return
            execution = f"{job.id}:{uuid.uuid4().hex}"
            registry = control.started(queue).key
            if not self._take(args=[queue.intermediate_queue_key, registry, execution, job.id, LIFE_S]):
                return
            self._reporter.hold(registry, execution)
            try:
                self._attempt(job, queue, registry, execution)
            finally:
                self._reporter.let_go()
                self._suspect = None

    def heartbeat(self, timeout: int | None = None, pipeline: Commands | None = None) -> None:
        """RQ's own, which is for its dashboards; who is alive, the reporter's beats decide."""
        with suppress(*UNREACHABLE):
            super().heartbeat(timeout, pipeline)

    def check_for_suspension(self, burst: bool) -> None:
        """See RQ's (`rq suspend`)."""
        with suppress(*UNREACHABLE):
            super().check_for_suspension(burst)

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Never: that is the janitor's work."""
        return False

    def handle_payload(self, message: Any) -> None:
        """Obey RQ's commands; `stop-job` cancels between two batches."""
        payload = parse_payload(message)
        if payload.get("command") != "stop-job":
            super().handle_payload(message)  # type: ignore[no-untyped-call]
        elif attempt := self._attempts.get(payload["job_id"]):
            self._tell_end(attempt, State.CANCELLED)
            attempt.work.cancelled.set()

    def teardown(self) -> None:
        """Say goodbye to RQ."""
        with suppress(*UNREACHABLE):
            super().teardown()  # type: ignore[no-untyped-call]

    def _set_connection(self, connection: Redis) -> Redis:
        return connection  # RQ would stretch the timeouts

    def _shutdown(self) -> None:
        self._stop_requested = True  # RQ would raise in the middle of whatever the main thread is at

    # Taking ---------------------------------------------------------------------------------------------------------

    def _pop(self) -> tuple[ControlJob, Queue] | None:
        open_lanes = [lane for lane, slots in self._slots.items() if self._in_lane(lane) < slots]
        if not open_lanes:
            full = len(self._attempts)
            self._attempts.wait_for(lambda: len(self._attempts) < full, POLL_S)
            return None
        for queue in (self._lane_queues[lane] for lane in open_lanes):
            if job_id := self._redis.lmove(queue.key, queue.intermediate_queue_key):
                return self._fetch(job_id.decode(), queue)
        queue = self._lane_queues[open_lanes[0]]
        job_id = self._redis.blmove(queue.key, queue.intermediate_queue_key, POLL_S)
        return self._fetch(job_id.decode(), queue) if job_id else None

    def _fetch(self, job_id: str, queue: Queue) -> tuple[ControlJob, Queue] | None:
        try:
            return self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer), queue
        except NoSuchJobError:
            self.connection.lrem(queue.intermediate_queue_key, 1, job_id)
            return None

    def _in_lane(self, lane: str) -> int:
        return sum(self._lanes.lane_of(attempt.order) == lane for attempt in self._attempts)

    def _refuse(self, job: ControlJob, queue: Queue) -> None:
        log.error("a foreign job %s in the queue %s is refused and deleted", job.id, queue.name)
        self._metrics.rejected.labels("foreign-job").inc()
        with self.connection.pipeline() as commands:
            commands.lrem(queue.intermediate_queue_key, 1, job.id)
            commands.delete(job.key)
            commands.execute()

    def _attempt(self, control_job: ControlJob, queue: Queue, registry: str, execution: str) -> None:
        job_id = control_job.id
        suspect = int(self.connection.hget(records.record(job_id), "attempt") or 0) > 0
        self._suspect = job_id if suspect else None
        if suspect or self._attempts.get(job_id):
            while len(self._attempts) and not self._stop_requested:
                self._attempts.wait_for(lambda: not len(self._attempts), POLL_S)
        if self._stop_requested:
            self._put_back(args=[queue.key, queue.intermediate_queue_key, registry, execution, job_id])
            return
        settings = self._settings
        failure = records.dump_failure(QUARANTINED)
        limits = settings.max_attempts, settings.result_ttl_s, settings.record_ttl_s
        verdict, number = self._start(args=[job_id, execution, registry, *limits, failure])
        if verdict != b"started":
            log.info("job %s is not started: %s", job_id, verdict.decode())
            self._leave(registry, execution, control_job if verdict != b"busy" else None)
            if verdict == b"quarantined":
                self._count_end(records.read(self._redis, job_id))
                self._keep_trying(lambda: self._blobs.delete(f"uploads/{job_id}"))
            return
        attempt = self._begun(job_id, number, registry, execution)
        while suspect and self._attempts.get(job_id) is attempt and not self._stop_requested:
            self._attempts.wait_for(lambda: self._attempts.get(job_id) is not attempt, POLL_S)

    def _begun(self, job_id: str, number: int, registry: str, execution: str) -> Attempt:
        job = records.read(self._redis, job_id)
        assert job is not None  # it was started just now
        upload, result = f"uploads/{job_id}", f"results/{job_id}.{number}"
        work = Work(
            job_id,
            job.order,
            read=lambda: self._keep_trying(lambda: self._blobs.get(upload)),
            write=lambda data: self._keep_trying(lambda: self._blobs.put(result, data)),
        )
        attempt = Attempt(job_id, number, job.order, job.created_at, registry, execution, work)
        if self._lanes.lane_of(job.order) == LARGE and number < self._settings.max_attempts:
            work.through = functools.partial(self._share, attempt)
        self._attempts.add(attempt)
        self._lanes.put(work)
        return attempt

    def _share(self, attempt: Attempt, run: Run, plan: Plan) -> Run:
        engine = self._inference.engine(attempt.order.model)
        shared = Shared(
            self._redis,
            self._blobs,
            run,
            job_id=attempt.job_id,
            attempt=attempt.number,
            total=len(plan),
            plan=leases.fingerprint(engine, plan, attempt.order.model_label),
        )
        attempt.shared = True
        return shared

    def _may_help(self, job_id: str) -> bool:
        """Help where there is no large picture of one's own, and nothing that is done alone."""
        return not (self._stop_requested or self._suspect or self._in_lane(LARGE) or self._attempts.get(job_id))

    # Ending ---------------------------------------------------------------------------------------------------------

    def _update(self, job_id: str, **changes: Any) -> None:
        """What the lanes' threads report."""
        attempt = self._attempts.get(job_id)
        assert attempt is not None
        state = changes.get("state", State.RUNNING)
        if state.ended:
            self._end(attempt, state, **{name: value for name, value in changes.items() if name != "state"})
        elif "tiles_done" in changes and not attempt.shared:
            attempt.progress = changes["tiles_done"], changes["tiles_total"]

    def _end(self, attempt: Attempt, state: State, **outcome: Any) -> None:
        job_id = attempt.job_id
        result: Result | None = outcome.get("result")
        try:
            if state is not State.CANCELLED and not attempt.given_back:
                told = self._tell_end(attempt, state, **outcome)
                if result and not told:  # somebody else's attempt, or cancelled meanwhile
                    self._blobs.delete(f"results/{job_id}.{attempt.number}")
            job = self._until_reached(lambda: records.read(self._redis, job_id))
            if job is None or job.state.ended:
                if self._lanes.lane_of(attempt.order) == LARGE:
                    for name in list(self._blobs.names(f"tiles/{job_id}/")):
                        self._blobs.delete(name)
                self._keep_trying(lambda: self._blobs.delete(f"uploads/{job_id}"))
                self._until_reached(lambda: self._leave(attempt.registry, attempt.execution, job_id))
            elif not attempt.given_back:
                self._until_reached(lambda: self._leave(attempt.registry, attempt.execution, None))
        except Exception:
            log.exception("the end of job %s could not be told", job_id)
        finally:
            self._ended += 1
            self._attempts.remove(attempt)

    def _tell_end(self, attempt: Attempt, state: State, **outcome: Any) -> bool:
        arguments = records.ending(
            attempt.job_id,
            attempt.number,
            state,
            result_ttl_s=self._settings.result_ttl_s,
            record_ttl_s=self._settings.record_ttl_s,
            blob=f"results/{attempt.job_id}.{attempt.number}",
            **outcome,
        )
        if not self._until_reached(lambda: self._finish(args=arguments)):
            return False
        self._count_end(self._until_reached(lambda: records.read(self._redis, attempt.job_id)))
        return True

    def _count_end(self, job: Job | None) -> None:
        if job is None:
            return
        task = job.order.task
        self._metrics.jobs.labels(task, job.state).inc()
        if job.ended_at:
            self._metrics.job_duration.labels(task).observe(job.ended_at - job.created_at)
        for stage, seconds in job.stages.items():
            self._metrics.stage_duration.labels(task, stage).observe(seconds)

    def _leave(self, registry: str, execution: str, done: ControlJob | str | None) -> None:
        """End an execution in RQ's account, and the control job too if it is done with."""
        with self.connection.pipeline() as commands:
            commands.zrem(registry, execution)
            if done:
                commands.delete(ControlJob.key_for(done if isinstance(done, str) else done.id))
            commands.execute()

    def _drain(self) -> None:
        """Finish what is begun, for as long as is allowed; give the rest back."""
        try:
            self._attempts.wait_for(lambda: not len(self._attempts), self._settings.drain_s)
            for attempt in self._attempts:
                self._give_back(attempt)
        finally:
            self._helper.stop(LIFE_S)
            self._reporter.stop()
            with suppress(*UNREACHABLE):
                self.connection.zrem(records.WORKERS, self.name)

    def _give_back(self, attempt: Attempt) -> None:
        log.info("job %s is given back", attempt.job_id)
        attempt.given_back = True
        attempt.work.cancelled.set()
        queue = self._lane_queues[self._lanes.lane_of(attempt.order)]
        with suppress(*UNREACHABLE):  # then the janitor finds it
            if self._release(args=[attempt.job_id, attempt.number]):
                arguments = queue.key, queue.intermediate_queue_key, attempt.registry, attempt.execution
                self._put_back(args=[*arguments, attempt.job_id])

    # Care -----------------------------------------------------------------------------------------------------------

    def _until_reached(self, ask: Callable[[], T]) -> T:
        """Ask Redis until it answers: a finished picture is not thrown away because Redis is away."""
        while True:
            try:
                return ask()
            except UNREACHABLE as error:
                log.warning("Redis is away: %s", error)
                time.sleep(POLL_S)

    def _keep_trying(self, move: Callable[[], T]) -> T:
        """Move a blob, and again if the store fails for a while or is full."""
        for wait_s in STORE_RETRIES_S:
            try:
                return move()
            except FileNotFoundError:
                raise
            except Exception as error:
                log.warning("the blob store failed: %s", error)
                time.sleep(wait_s)
        return move()

    def _due_to_recycle(self) -> bool:
        most_jobs, most_growth = self._settings.recycle_jobs, self._settings.recycle_bytes
        if most_jobs and self._ended >= most_jobs:
            log.info("recycling after %d jobs", self._ended)
            return True
        growth = _resident_bytes() - self._memory_at_start if most_growth else 0
        if most_growth and growth > most_growth:
            log.info("recycling: memory grew by %d bytes", growth)
            return True
        return False

    def _end_if_stalled(self) -> None:
        since = self._inference.batcher.busy_since
        if since is not None and time.monotonic() - since > self._settings.stall_s:
            log.critical("a network has not answered for %g s: the worker ends", self._settings.stall_s)
            os._exit(EXIT_STALLED)  # the call cannot be interrupted; the janitor gives the jobs to others


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
