"""What a job is: the order that was accepted, and where it stands. Snapshots: each change makes a new one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from imaging.codec import Format
from imaging.codec.encoding import Keep
from service.errors import Failure


class State(StrEnum):
    """Where a job stands; the last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more."""
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Order:
    """What a client asked for, checked, with everything needed to do it.

    Attributes:
        task: a served task.
        model: the artifact's name.
        format: of the result.
        quality: of a lossy result, 1..100; None is the codec's default.
        keep: which metadata the result carries.
        frame: of a multipage file; None is for files of one picture.
        pattern: of a mosaic; None is the network's own.
        width: of the uploaded picture as it will be decoded, pixels.
        height: likewise.
        tiles: in the plan.
        tile_units: what the plan costs.
        body_sha256: of the uploaded bytes.
        body_bytes: their number.
        owner: who may see the job: the hash of the API key, or empty where keys are off.
        idempotency_key: the client's, if it gave one.
        request_id: of the request, for the log.
    """

    task: str
    model: str
    format: Format
    quality: int | None
    keep: Keep
    frame: int | None
    width: int
    height: int
    tiles: int
    tile_units: float
    body_sha256: str
    body_bytes: int
    pattern: str | None = None
    owner: str = ""
    idempotency_key: str | None = None
    request_id: str = ""

    @property
    def fingerprint(self) -> tuple[object, ...]:
        """What makes two orders the same request: the picture and everything that shapes the answer."""
        return self.body_sha256, self.task, self.model, self.format, self.quality, self.keep, self.frame, self.pattern


@dataclass(frozen=True)
class Result:
    """A finished picture.

    Attributes:
        media_type: `image/png` and the like.
        size_bytes: of the file.
        sha256: of the file; its ETag.
        width: pixels.
        height: pixels.
        model_label: the network that made it, with its version and digest, for X-Model.
    """

    media_type: str
    size_bytes: int
    sha256: str
    width: int
    height: int
    model_label: str


@dataclass(frozen=True)
class Job:
    """A snapshot of a job. Times are Unix seconds.

    Attributes:
        id: unguessable.
        order: what was asked.
        state: where it stands.
        tiles_done: of `tiles_total`.
        tiles_total: in the plan.
        created_at: when it was accepted.
        started_at: when decoding began.
        ended_at: when it succeeded, failed or was cancelled.
        expires_at: when the result is deleted; set at the end.
        expired: the result has been deleted.
        stages: seconds in each stage so far, in order: queue, decode, infer, assemble, encode.
        failure: why it failed.
        result: what came out.
    """

    id: str
    order: Order
    created_at: float
    tiles_total: int
    state: State = State.QUEUED
    tiles_done: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    expires_at: float | None = None
    expired: bool = False
    stages: Mapping[str, float] = field(default_factory=dict)
    failure: Failure | None = None
    result: Result | None = None

    @property
    def remaining_units(self) -> float:
        """Tile units not done yet; none once the job has ended."""
        if self.state.ended:
            return 0.0
        return self.order.tile_units * (1 - self.tiles_done / self.tiles_total)


def keeps_key(state: State, failure: Failure | None) -> bool:
    """Whether an Idempotency-Key still stands for its job, once that has come to this state.

    Not where the job was cancelled, or failed for a reason that passes: whoever comes back wants the picture.
    """
    return state is not State.CANCELLED and not (failure and failure.passes)


def new_id() -> str:
    """An id that cannot be guessed: 128 random bits, safe in a URL and in a file name."""
    return secrets.token_hex(16)
