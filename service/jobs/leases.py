"""Large pictures, shared: the job's own worker takes tiles from the front, others take leases on them from the back.

Where they meet, the picture is finished. The job's own worker assembles, in order, with `imaging.restoration.restore`
as always; it only finds some answers in the blob store rather than computing them. So there is exactly one assembly,
and it has the bytes of one worker's work as long as answers do not depend on the batch (`UNSEAM_FIXED_BATCH`, or a
batch of 1). A helper that dies lets its leases run out, and its tiles are given out again. Whoever ends the job's
record ends the sharing with it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imaging.errors import Cancelled
from imaging.restoration import Run
from imaging.tiling import Plan
from service.engine import Engine
from service.jobs.attempts import LIFE_S
from service.jobs.blobs import Blobs
from service.jobs.connection import UNREACHABLE
from service.jobs.patience import until_reached
from service.jobs.records import script

log = logging.getLogger(__name__)

Array = NDArray[np.float32]

COMPUTE, STORED, LEASED = range(3)  # what `claim_front.lua` answers
WAIT_S: Final = 0.02  # between looks at a tile that a helper is at
APART_S: Final = 2.0  # after Redis was away, the picture is gone on with alone for so long
# `sha256` is of all the others too.
MEASURED: Final = {"format", "probe", "backends", "built", "parity", "seams", "speed", "variants", "sha256"}
FETCHES: Final = 4  # stored tiles that are read at the same time


def artifact(engine: Engine) -> str:
    """What two workers must have in common to give the same answers: graphs, weights, how they are used, and backend.

    Not what an export measured: each host that exports for itself measures something else.
    """
    content = engine.manifest.model_dump_json(exclude=MEASURED)
    return f"{hashlib.sha256(content.encode()).hexdigest()} {engine.backend} "


def fingerprint(engine: Engine, plan: Plan) -> str:
    """What two workers must have in common to answer for the same tiles: the artifact, and how the picture is cut."""
    return f"{artifact(engine)}{plan.tile_shape} {plan.halo} {len(plan)}"


def blob(job_id: str, tile: int) -> str:
    """The name of a stored answer."""
    return f"tiles/{job_id}/{tile}"


class Leases:
    """Tiles of shared pictures, claimed by a helper."""

    def __init__(self, client: Any) -> None:
        self._claim, self._mark, self._drop = (script(client, name) for name in ("claim_back", "mark", "drop"))

    def claim(self, job_id: str, count: int, max_redelivered: int) -> tuple[list[int], int]:
        """Tiles to compute, in ascending order, and how many of them a worker had lost."""
        redelivered, *tiles = self._claim(args=[job_id, count, LIFE_S, max_redelivered])
        return sorted(tiles), redelivered

    def mark(self, job_id: str, tiles: Sequence[int]) -> list[bool]:
        """Note that answers are stored; false where nobody wants one any more."""
        return [bool(wanted) for wanted in self._mark(args=[job_id, *tiles])]

    def drop(self, job_id: str, tiles: Sequence[int]) -> None:
        """Let go of tiles undone."""
        self._drop(args=[job_id, *tiles])


class Shared:
    """A runner for the job's own worker, around the network's: called with the picture's tiles in order."""

    def __init__(
        self, client: Any, blobs: Blobs, run: Run, *, job_id: str, attempt: int, total: int, plan: str
    ) -> None:
        """Let others help from now on. Raises Cancelled if the attempt is not wanted any more."""
        self._claim = script(client, "claim_front")
        self._blobs, self._run, self._job_id, self._attempt = blobs, run, job_id, attempt
        self._done = self._passed = 0
        self._alone_until = 0.0
        begin = script(client, "open")
        if not until_reached(lambda: begin(args=[job_id, attempt, total, plan])):
            raise Cancelled("the attempt was given up")

    def __call__(self, tiles: Array) -> Array:
        """The answers for the next tiles."""
        answers: dict[int, Array] = {}
        missing = list(range(len(tiles)))
        passed = 0
        while missing:
            states = self._states(len(tiles))
            compute = [index for index in missing if states[index] == COMPUTE]
            stored = [index for index in missing if states[index] == STORED]
            if compute:
                answers |= zip(compute, self._run(tiles[compute]), strict=True)
            answers |= self._fetch(stored, tiles)
            passed += len(stored)
            missing = [index for index in missing if index not in answers]
            if missing and not compute and not stored:
                time.sleep(WAIT_S)
        self._done += len(tiles)
        self._passed += passed
        return np.stack([answers[index] for index in range(len(tiles))])

    def _states(self, count: int) -> list[int]:
        if time.monotonic() < self._alone_until:
            return [COMPUTE] * count
        try:
            states: list[int] = self._claim(args=[self._job_id, self._attempt, self._done, count, self._passed, LIFE_S])
        except UNREACHABLE as error:
            log.warning("job %s goes on alone: %s", self._job_id, error)
            self._alone_until = time.monotonic() + APART_S
            return [COMPUTE] * count
        if not states:
            raise Cancelled("the attempt was given up")
        return states

    def _fetch(self, stored: list[int], tiles: Array) -> dict[int, Array]:
        """Stored answers; one that cannot be read is computed."""
        if not stored:
            return {}

        def read(index: int) -> Array:
            try:
                return decode(self._blobs.get(blob(self._job_id, self._done + index)))
            except Exception as error:
                log.warning("a tile of job %s is computed again: %s", self._job_id, error)
                answer: Array = self._run(tiles[index : index + 1])[0]
                return answer

        with ThreadPoolExecutor(min(FETCHES, len(stored))) as threads:
            return dict(zip(stored, threads.map(read, stored), strict=True))


def encode(answer: Array) -> bytes:
    """An answer (C', H, W) as bytes: its shape, then its values."""
    return np.array(answer.shape, "<u4").tobytes() + np.ascontiguousarray(answer, "<f4").tobytes()


def decode(data: bytes) -> Array:
    """What `encode` made. Raises ValueError for anything else."""
    shape = np.frombuffer(data, "<u4", 3)
    return np.frombuffer(data, "<f4", offset=12).reshape(*shape)
