"""What a worker is at, and the thread that tells Redis about it: progress, heartbeats, and whether to go on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from redis import Redis
from rq import Queue

from service.jobs.connection import UNREACHABLE
from service.jobs.job import Order
from service.jobs.pace import Pace
from service.jobs.pipeline import Work
from service.jobs.records import PACE, script

log = logging.getLogger(__name__)

PROGRESS_S: Final = 0.1  # at most so often a job's progress is told
BEAT_S: Final = 1.0
LIFE_S: Final = 4.0  # without a heartbeat for so long, a worker is dead
SERVED_S: Final = 60  # for so long after the last worker's end the service counts as served


@dataclass(frozen=True)
class Execution:
    """A control job that a worker has taken over, in RQ's books.

    Attributes:
        queue: from which.
        registry: in which it is kept alive.
        member: its name there.
    """

    queue: Queue
    registry: str
    member: str


@dataclass
class Attempt:
    """One worker's try at one job.

    Attributes:
        job_id: the job's.
        number: 1 for the first.
        order: the job's.
        lane: in which it is done.
        execution: what RQ knows of it.
        work: on its way through the pipeline.
        progress: tiles done and in all, where Redis has not been told yet.
        shared: other workers may help; progress is theirs too.
        given_back: the worker ends and leaves the job to another.
    """

    job_id: str
    number: int
    order: Order
    lane: str
    execution: Execution
    work: Work
    progress: tuple[int, int] | None = None
    shared: bool = False
    given_back: bool = False

    @property
    def result_blob(self) -> str:
        """Where the result is kept: under a name that no other attempt has."""
        return f"results/{self.job_id}.{self.number}"


@dataclass
class Attempts:
    """The attempts of one worker, by job; from any thread."""

    _by_job: dict[str, Attempt] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __len__(self) -> int:
        return len(self._by_job)

    def __iter__(self) -> Iterator[Attempt]:
        with self._changed:
            return iter(list(self._by_job.values()))

    def add(self, attempt: Attempt) -> None:
        """Begin an attempt."""
        with self._changed:
            self._by_job[attempt.job_id] = attempt

    def get(self, job_id: str) -> Attempt | None:
        """The attempt at a job."""
        return self._by_job.get(job_id)

    def remove(self, attempt: Attempt) -> None:
        """End an attempt, and wake whoever waits for one to end."""
        with self._changed:
            self._by_job.pop(attempt.job_id, None)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition on the attempts holds; whether it does."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)


class Reporter:
    """The thread that keeps a worker's attempts alive in Redis, and stops those that are not wanted any more."""

    def __init__(
        self,
        client: Redis,
        worker: str,
        attempts: Attempts,
        pace: Pace,
        *,
        held: Callable[[], list[str]],
        watchdog: Callable[[], None],
    ) -> None:
        """Also keeps the leases alive that are `held`, and calls `watchdog`, which ends a process that hangs."""
        self._held = held
        self._client, self._worker, self._attempts, self._pace = client, worker, attempts, pace
        self._watchdog = watchdog
        self._beat, self._progress = script(client, "beat"), script(client, "progress")
        self._waiting: Execution | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._report, name="report", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join(LIFE_S)

    @contextmanager
    def holding(self, execution: Execution) -> Iterator[None]:
        """Also keep alive a control job that waits for its attempt."""
        self._waiting = execution
        try:
            yield
        finally:
            self._waiting = None

    def _report(self) -> None:
        next_beat = 0.0
        while not self._stopping.is_set():
            beat = time.monotonic() >= next_beat
            if beat:
                next_beat = time.monotonic() + BEAT_S
                self._watchdog()
            with suppress(*UNREACHABLE):  # the work goes on; who is dead is decided once Redis is back
                if beat:
                    self._keep_alive()
                for attempt in self._attempts:
                    if beat or attempt.progress:
                        self._tell(attempt)
            self._stopping.wait(PROGRESS_S)

    def _keep_alive(self) -> None:
        executions = [attempt.execution for attempt in self._attempts]
        executions += [self._waiting] if self._waiting else []
        pairs = [part for execution in executions for part in (execution.registry, execution.member)]
        self._beat(args=[self._worker, LIFE_S, SERVED_S, *pairs, *self._held()])
        if rates := self._pace.rates():
            self._client.hset(PACE, items=[part for item in rates.items() for part in item])
            self._client.expire(PACE, SERVED_S)

    def _tell(self, attempt: Attempt) -> None:
        progress, attempt.progress = attempt.progress, None
        if not self._progress(args=[attempt.job_id, attempt.number, *(progress or ())]):
            attempt.work.cancelled.set()
