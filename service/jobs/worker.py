"""A worker: an RQ worker that keeps its networks warm and is at several pictures at once.

RQ's loop pops control jobs; each becomes an attempt that goes through the lanes' threads, and ends in the account.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from contextlib import suppress
from typing import Any, Final

from redis import Redis
from redis.client import Pipeline as Commands
from rq import Queue, SimpleWorker
from rq.command import parse_payload
from rq.exceptions import StopRequested
from rq.job import Job as ControlJob
from rq.serializers import JSONSerializer

from imaging.codec import Limits
from imaging.errors import DeviceLost
from imaging.restoration import Run
from imaging.tiling import Plan
from service.jobs import control, leases, records
from service.jobs.account import Account
from service.jobs.attempts import LIFE_S, Attempt, Attempts, Execution, Reporter
from service.jobs.blobs import Blobs
from service.jobs.connection import UNREACHABLE
from service.jobs.door import POLL_S, Door
from service.jobs.helper import Helper
from service.jobs.inference import Inference
from service.jobs.job import Job, State
from service.jobs.lanes import LARGE, SMALL, Lanes
from service.jobs.leases import Shared
from service.jobs.pace import Pace
from service.jobs.patience import keep_trying
from service.jobs.pipeline import Work
from service.jobs.recycling import Recycling
from service.metrics import Metrics
from service.settings import Settings

log = logging.getLogger(__name__)

EXIT_STALLED: Final = 70  # EX_SOFTWARE, also where the device is lost
SUSPECT_AFTER: Final = 2  # workers that ended while they were at a job


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
        self._account = Account(connection, settings, blobs, metrics)
        self._door = Door(connection, self._account, metrics)
        super().__init__(
            list(self._door.queues.values()), connection=connection, serializer=JSONSerializer, worker_ttl=60
        )
        self._settings, self._inference, self._blobs = settings, inference, blobs
        self._slots = {SMALL: 2 * settings.jobs_at_once, LARGE: 1}  # of small ones, as many wait decoded
        self._attempts = Attempts()
        self._helper = Helper(connection, settings, inference, blobs, self._may_help, limits=limits, metrics=metrics)
        self._reporter = Reporter(
            connection, self.name, self._attempts, pace, held=lambda: self._helper.held, watchdog=self._end_if_stalled
        )
        self._alone = False
        self._lanes = Lanes(settings, inference, self._update, limits=limits, metrics=metrics)
        self._ended, self._recycling = 0, Recycling(settings)

    def run(self) -> None:
        """Load the networks, work, and leave nothing half-done behind. Raises if the networks cannot be loaded."""
        self._inference.batcher.on_lost = _end_without_device
        self._inference.start()
        self._inference.wait()
        self._recycling.start()
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
            if self._recycling.due(self._ended):
                return None
            try:
                popped = self._next()
            except UNREACHABLE as error:
                log.warning("Redis is away: %s", error)
                time.sleep(POLL_S)
                continue
            if popped:
                return popped
        raise StopRequested

    def execute_job(self, job: ControlJob, queue: Queue) -> None:
        """Begin an attempt at a control job; refuse one that is none of ours."""
        with suppress(*UNREACHABLE):  # whatever was begun, the janitor finds
            if not control.allowed(job):
                self._door.refuse(job, queue)
            elif execution := self._account.take(job.id, queue):
                with self._reporter.holding(execution):
                    self._attempt(job.id, execution)

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
            self._account.cancel(attempt)

    def teardown(self) -> None:
        """Say goodbye to RQ."""
        with suppress(*UNREACHABLE):
            super().teardown()  # type: ignore[no-untyped-call]

    def _set_connection(self, connection: Redis) -> Redis:
        return connection  # RQ would stretch the timeouts

    def _shutdown(self) -> None:
        self._stop_requested = True  # RQ would raise in the middle of whatever the main thread is at

    def _next(self) -> tuple[ControlJob, Queue] | None:
        open_lanes = [lane for lane, slots in self._slots.items() if self._in_lane(lane) < slots]
        if open_lanes:
            return self._door.pop(open_lanes)
        full = len(self._attempts)
        self._attempts.wait_for(lambda: len(self._attempts) < full, POLL_S)
        return None

    def _in_lane(self, lane: str) -> int:
        return sum(attempt.lane == lane for attempt in self._attempts)

    # Doing ----------------------------------------------------------------------------------------------------------

    def _attempt(self, job_id: str, execution: Execution) -> None:
        """Begin an attempt; one that took workers down before is done with nothing beside it."""
        job = records.read(self._redis, job_id)
        if job and not job.state.ended and not self._inference.has(job.order.model):
            return self._door.pass_on(job, execution)
        deaths = self._account.attempts(job_id)
        self._alone = 0 < deaths >= min(SUSPECT_AFTER, self._settings.max_attempts - 1)
        try:
            if self._alone or self._attempts.get(job_id):
                while len(self._attempts) and not self._stop_requested:
                    self._attempts.wait_for(lambda: not len(self._attempts), POLL_S)
            if self._stop_requested:
                self._account.put_back(job_id, execution)
            elif (number := self._account.start(job_id, execution)) and job:
                attempt = self._begin(job, number, execution)
                while self._alone and self._attempts.get(job_id) is attempt and not self._stop_requested:
                    self._attempts.wait_for(lambda: self._attempts.get(job_id) is not attempt, POLL_S)
        finally:
            self._alone = False

    def _begin(self, job: Job, number: int, execution: Execution) -> Attempt:
        work = Work(
            job.id,
            job.order,
            read=lambda: keep_trying(lambda: self._blobs.get(f"uploads/{job.id}")),
            write=lambda data: keep_trying(lambda: self._blobs.put(attempt.result_blob, data)),
        )
        attempt = Attempt(job.id, number, job.order, self._lanes.lane_of(job.order), execution, work)
        if attempt.lane == LARGE and not self._alone:
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
            plan=leases.fingerprint(engine, plan),
        )
        attempt.shared = True
        return shared

    def _may_help(self, job_id: str) -> bool:
        """Help where there is no large picture of one's own, and nothing that is done alone."""
        return not (self._stop_requested or self._alone or self._in_lane(LARGE) or self._attempts.get(job_id))

    def _update(self, job_id: str, **changes: Any) -> None:
        """What the lanes' threads report."""
        attempt = self._attempts.get(job_id)
        assert attempt is not None
        state = changes.pop("state", State.RUNNING)
        if state.ended:
            try:
                self._account.end(attempt, state, **changes)
            except Exception:
                log.exception("the end of job %s could not be told", job_id)
            finally:
                self._ended += 1
                self._attempts.remove(attempt)
        elif "tiles_done" in changes and not attempt.shared:
            attempt.progress = changes["tiles_done"], changes["tiles_total"]

    # Ending ---------------------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Finish what is begun, for as long as is allowed; give the rest back."""
        try:
            self._attempts.wait_for(lambda: not len(self._attempts), self._settings.drain_s)
            for attempt in self._attempts:
                self._account.give_back(attempt)
        finally:
            self._helper.stop(LIFE_S)
            self._reporter.stop()
            with suppress(*UNREACHABLE):
                self.connection.zrem(records.WORKERS, self.name)

    def _end_if_stalled(self) -> None:
        since = self._inference.batcher.busy_since
        if since is not None and time.monotonic() - since > self._settings.stall_s:
            log.critical("a network has not answered for %g s: the worker ends", self._settings.stall_s)
            os._exit(EXIT_STALLED)  # the call cannot be interrupted; the janitor gives the jobs to others


def _end_without_device(error: DeviceLost) -> None:
    """End before a job is told to have failed: whoever it is given to next has a device."""
    log.critical("the device answers no more, and the worker ends: %s", error)
    os._exit(
        EXIT_STALLED
    )  # what CUDA still holds could keep the interpreter from ending; the janitor gives the jobs on
