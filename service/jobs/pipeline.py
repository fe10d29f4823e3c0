"""The threads that do the work: some decode, some restore, some encode.

Between them are short queues, so that few pictures are in memory at once, however long the backlog is.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from imaging import codec
from imaging.codec import Limits, Picture
from imaging.codec.encoding import refuse_loss
from imaging.errors import Cancelled
from service.engine import Through
from service.errors import INTERNAL, Failure
from service.jobs.inference import Inference
from service.jobs.job import Order, Result, State
from service.metrics import Metrics

log = logging.getLogger(__name__)

DECODED_AHEAD: Final = 1  # pictures that wait, decoded, to be restored; as many wait for an encoder


@dataclass
class Work:
    """One job on its way through the threads.

    Attributes:
        job_id: the job's.
        order: the job's.
        read: gives the uploaded bytes.
        write: keeps the result's bytes.
        through: around every call of the network, where other workers help; by default nothing.
        cancelled: set to stop the job.
        picture: the decoded picture, then the restored one.
        result: what was given to `write`.
        stages: seconds spent so far, by stage.
        since: when the work last began to wait, on the monotonic clock.
    """

    job_id: str
    order: Order
    read: Callable[[], bytes]
    write: Callable[[bytes], object]
    through: Through | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    picture: Picture | None = None
    result: Result | None = None
    stages: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    since: float = field(default_factory=time.perf_counter)


Inbox = queue.Queue[Work | None]
Step = Callable[[Work], None]
Update = Callable[..., object]


class Pipeline:
    """Takes work, and reports where each job stands through `update(job_id, **changes)`, from its own threads."""

    def __init__(
        self,
        inference: Inference,
        update: Update,
        *,
        limits: Limits,
        at_once: int,
        codec_threads: int,
        metrics: Metrics,
    ) -> None:
        """Restore `at_once` pictures at the same time, with as many threads, and `codec_threads` each way."""
        self._inference, self._update = inference, update
        self._limits, self._metrics = limits, metrics
        self._waiting: Inbox = queue.Queue()  # bounded by admission
        self._decoded: Inbox = queue.Queue(DECODED_AHEAD)
        self._restored: Inbox = queue.Queue(DECODED_AHEAD)
        decoders = [self._thread("decode", self._decode, self._waiting, self._decoded) for _ in range(codec_threads)]
        encoders = [self._thread("encode", self._encode, self._restored, None) for _ in range(codec_threads)]
        restorers = [self._thread("infer", self._infer, self._decoded, self._restored) for _ in range(at_once)]
        self._rows: Sequence[tuple[Inbox, list[threading.Thread]]] = (
            (self._waiting, decoders),
            (self._decoded, restorers),
            (self._restored, encoders),
        )

    def start(self) -> None:
        """Start the threads."""
        for _, threads in self._rows:
            for thread in threads:
                thread.start()

    def put(self, work: Work) -> None:
        """Append to the waiting work."""
        self._waiting.put(work)

    def stop(self, timeout_s: float) -> None:
        """End the threads, one row after the other, once each has nothing left to do. Cancel the work first.

        A thread that is still inside a runtime's call after `timeout_s` is left to end with the process.
        """
        deadline = time.monotonic() + timeout_s
        for inbox, threads in self._rows:
            for _ in threads:
                with suppress(queue.Full):
                    inbox.put(None, timeout=max(0.0, deadline - time.monotonic()))
            for thread in threads:
                thread.join(max(0.0, deadline - time.monotonic()))
                if thread.is_alive():
                    log.warning("the %s thread does not end", thread.name)

    def _thread(self, stage: str, step: Step, inbox: Inbox, outbox: Inbox | None) -> threading.Thread:
        return threading.Thread(target=self._run, args=(stage, step, inbox, outbox), name=stage, daemon=True)

    def _run(self, stage: str, step: Step, inbox: Inbox, outbox: Inbox | None) -> None:
        while (work := inbox.get()) is not None:
            self._do(stage, step, work, outbox)
            del work  # an idle thread keeps no picture

    def _do(self, stage: str, step: Step, work: Work, outbox: Inbox | None) -> None:
        start = time.perf_counter()
        work.stages["queue"] += start - work.since
        try:
            if work.cancelled.is_set():
                raise Cancelled
            step(work)
        except Cancelled:
            self._end(work, State.CANCELLED)
        except Exception as error:
            if work.cancelled.is_set():  # its files may be gone already
                return self._end(work, State.CANCELLED)
            failure = Failure.of(error)
            unexpected = failure.kind == INTERNAL
            log.log(
                logging.ERROR if unexpected else logging.INFO,
                "job %s (request %s) failed: %s",
                work.job_id,
                work.order.request_id,
                error,
                exc_info=unexpected,
            )
            self._end(work, State.FAILED, failure=failure)
        else:
            work.since = time.perf_counter()
            work.stages[stage] += work.since - start - (work.stages["assemble"] if stage == "infer" else 0)
            if outbox is None:
                self._end(work, State.SUCCEEDED, result=work.result)
            else:
                outbox.put(work)

    def _decode(self, work: Work) -> None:
        self._update(work.job_id, state=State.RUNNING, started_at=time.time())
        work.picture = codec.decode(work.read(), self._limits, frame=work.order.frame)

    def _infer(self, work: Work) -> None:
        picture, engine = work.picture, self._inference.engine(work.order.model)
        assert picture is not None
        refuse_loss(picture, work.order.format, engine.manifest.scale)  # before the work, not after it
        pattern = work.order.pattern
        course = engine.chart(*picture.pixels.shape[:2], pattern=pattern)
        self._update(work.job_id, tiles_total=len(course))
        inside = 0.0

        def on_batch(tiles: int, seconds: float | None) -> None:
            nonlocal inside
            inside += seconds or 0.0
            self._metrics.tiles.labels(work.order.task, engine.backend).inc(tiles if seconds is not None else 0)

        start = time.perf_counter()
        restored = engine.restore(
            picture.visible,
            course,
            pattern=pattern,
            on_progress=lambda done, total: self._update(work.job_id, tiles_done=done, tiles_total=total),
            on_batch=on_batch,
            through=work.through,
            cancelled=work.cancelled.is_set,
        )
        work.picture = picture.restored(restored)
        work.stages["assemble"] = time.perf_counter() - start - inside
        height, width = picture.pixels.shape[:2]
        self._metrics.megapixels.labels(work.order.task).inc(height * width / 1e6)

    def _encode(self, work: Work) -> None:
        picture, order = work.picture, work.order
        assert picture is not None
        encoded = codec.encode(picture, format=order.format, quality=order.quality, keep=order.keep)
        work.write(encoded)
        height, width = picture.pixels.shape[:2]
        sha256 = hashlib.sha256(encoded).hexdigest()
        label = self._inference.engine(order.model).manifest.label
        work.result = Result(order.format.media_type, len(encoded), sha256, width, height, label)

    def _end(self, work: Work, state: State, **changes: Any) -> None:
        work.picture = None
        self._update(work.job_id, state=state, stages=dict(work.stages), **changes)
