"""Helping: a worker whose large lane is empty computes tiles of other workers' large pictures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from redis import Redis

from imaging import codec
from imaging.codec import Limits
from imaging.tiling import Plan
from service.engine import Engine
from service.jobs import leases, records
from service.jobs.blobs import Blobs
from service.jobs.connection import UNREACHABLE
from service.jobs.inference import Inference
from service.jobs.job import Job
from service.jobs.leases import Array, Leases
from service.metrics import Metrics
from service.settings import Settings

log = logging.getLogger(__name__)

LOOK_S: Final = 0.25  # between looks for pictures to help with


class Helper:
    """A thread that looks for shared pictures whenever `may_help` says so."""

    def __init__(
        self,
        client: Redis,
        settings: Settings,
        inference: Inference,
        blobs: Blobs,
        may_help: Callable[[str], bool],
        *,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        """`may_help(job_id)` is asked before each batch of tiles."""
        self._redis: Any = client
        self._settings, self._inference, self._blobs = settings, inference, blobs
        self._may_help, self._limits, self._metrics = may_help, limits, metrics
        self._leases = Leases(client)
        self._held: list[str] = []
        self._unlike: set[str] = set()  # networks of which others have another artifact
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, name="help", daemon=True)

    @property
    def held(self) -> list[str]:
        """The leases in hand, as pairs of key and tile, to be kept alive."""
        return self._held

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End after the batch in hand."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _look(self) -> None:
        while not self._stopping.wait(LOOK_S):
            with suppress(*UNREACHABLE):
                for job_id in records.decoded(self._redis.zrange(records.OPEN, 0, 9)):
                    if self._may_help(job_id):
                        self._help(job_id)

    def _help(self, job_id: str) -> None:
        job = records.read(self._redis, job_id)
        if job is None or not self._inference.has(job.order.model) or not self._worth_it(job_id):
            return
        try:
            engine = self._inference.engine(job.order.model)
            if not self._same_artifact(engine, self._shared_plan(job_id)):
                return
            image = codec.decode(self._blobs.get(f"uploads/{job_id}"), self._limits, frame=job.order.frame).visible
            plan = engine.chart(*image.shape[:2], pattern=job.order.pattern)
            if not isinstance(plan, Plan):  # in one pass alone are tiles independent of one another
                return
            if self._shared_plan(job_id) == leases.fingerprint(engine, plan):
                self._compute(job, engine, image, plan)
        except UNREACHABLE:
            raise
        except Exception as error:  # the picture's own worker meets it too, and says what it is
            log.warning("no help with job %s: %s", job_id, error)
            self._stopping.wait(10 * LOOK_S)

    def _worth_it(self, job_id: str) -> bool:
        """Whether enough is left to decode the picture for."""
        front, back = self._redis.hmget(f"unseam:tiles:{job_id}", "front", "back")
        return front is not None and int(back) - int(front) > 2 * self._settings.batch

    def _shared_plan(self, job_id: str) -> str:
        """The fingerprint of those who share a picture; "" if nobody does any more."""
        return (self._redis.hget(f"unseam:tiles:{job_id}", "plan") or b"").decode()

    def _same_artifact(self, engine: Engine, plan: str) -> bool:
        name = engine.manifest.name
        if plan and not plan.startswith(leases.artifact(engine)) and name not in self._unlike:
            log.warning("no help with pictures for %s: another worker has another artifact of it, or backend", name)
            self._unlike.add(name)
        return plan.startswith(leases.artifact(engine))

    def _compute(self, job: Job, engine: Engine, image: Array, plan: Plan) -> None:
        positions = plan.positions
        while self._may_help(job.id) and not self._stopping.is_set():
            tiles, redelivered = self._leases.claim(job.id, self._settings.batch, self._settings.max_attempts)
            self._metrics.tile_redeliveries.inc(redelivered)
            if not tiles:
                return
            self._held = [part for tile in tiles for part in (f"unseam:leased:{job.id}", str(tile))]
            self._metrics.tile_leases.labels("held").set(len(tiles))
            try:
                wanted_tiles = [positions[tile] for tile in tiles]
                answers = engine.restore_tiles(image, plan, wanted_tiles, pattern=job.order.pattern)
                for tile, answer in zip(tiles, answers, strict=True):
                    self._blobs.put(leases.blob(job.id, tile), leases.encode(answer))
                wanted = self._leases.mark(job.id, tiles)
            except BaseException:
                with suppress(*UNREACHABLE):
                    self._leases.drop(job.id, tiles)
                raise
            finally:
                self._held = []
                self._metrics.tile_leases.labels("held").set(0)
            self._metrics.tiles.labels(job.order.task, engine.backend).inc(len(tiles))
            for tile, keep in zip(tiles, wanted, strict=True):
                if not keep:
                    self._blobs.delete(leases.blob(job.id, tile))
