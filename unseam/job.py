"""A job as the service shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, get_args

from unseam.errors import ProblemError

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]

ENDS: Final = {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True)
class Result:
    """A finished picture on the server.

    Attributes:
        media_type: `image/png` and the like.
        size_bytes: of the file.
        sha256: of the file.
        width: pixels.
        height: pixels.
    """

    media_type: str
    size_bytes: int
    sha256: str
    width: int
    height: int


@dataclass(frozen=True)
class Job:
    """Where a job stands.

    Attributes:
        id: names the job; who has it, and the API key it was made with, can see the picture.
        state: succeeded, failed and cancelled are ends.
        task: what is done.
        model: the network that does it.
        tiles_done: of `tiles_total`.
        tiles_total: number of tiles the picture is cut into.
        position: jobs that come before this one, while it waits.
        estimate_s: seconds until it is done, from the rate the service measures.
        stages_s: seconds in each stage, once it has ended.
        result: of a job that succeeded.
        error: why it failed.
    """

    id: str
    state: State
    task: str
    model: str
    tiles_done: int
    tiles_total: int
    position: int | None = None
    estimate_s: float | None = None
    stages_s: Mapping[str, float] = field(default_factory=dict)
    result: Result | None = None
    error: ProblemError | None = None

    @property
    def ended(self) -> bool:
        """Whether the job will not change any more."""
        return self.state in ENDS

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """From the service's JSON; members of later versions are ignored. Raises ValueError and others for no job."""
        if not isinstance(body["id"], str) or body["state"] not in get_args(State):
            raise ValueError("a job has an id and a state")
        members = {name: body[name] for name in cls.__dataclass_fields__ if name in body}
        result, error = body.get("result"), body.get("error")
        members["result"] = result and Result(**{name: result[name] for name in Result.__dataclass_fields__})
        members["error"] = error and ProblemError.of(error)
        if error:
            members["error"].job_id = body["id"]
        return cls(**members)
