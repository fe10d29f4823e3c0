"""Jobs: where they stand, live progress, results, cancelling."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from service.api import documentation, problems
from service.api.dependencies import Parts, VisibleJob
from service.api.negotiation import is_range, listed
from service.api.problems import Problem, responses
from service.api.waiting import refreshed
from service.errors import NotReady
from service.jobs.job import Job, State
from service.jobs.queue import JobQueue, Outlook

router = APIRouter(tags=["jobs"])

REFRESH_S: Final = 5.0  # so often a waiting job's position and estimate are told again


class ResultView(BaseModel):
    """A finished picture."""

    media_type: str = Field(examples=["image/png"])
    size_bytes: int = Field(examples=[1048576])
    sha256: str = Field(description="of the file; its ETag")
    width: int = Field(description="pixels", examples=[4000])
    height: int = Field(description="pixels", examples=[3000])
    expires_at: datetime = Field(description="until then it can be fetched; 410 afterwards")


class JobView(BaseModel):
    """A job as its owner sees it."""

    id: str = Field(examples=["3f2a9c0d4b5e6f708192a3b4c5d6e7f8"])
    state: State = Field(description="the last three are ends", examples=["running"])
    task: str = Field(examples=["derain"])
    model: str = Field(description="the network that answers", examples=["ipt-v2-tiny-derain"])
    tiles_done: int = Field(description="of tiles_total", examples=[12])
    tiles_total: int = Field(description="tiles that the picture is cut into", examples=[48])
    position: int | None = Field(None, description="jobs that come before this one", examples=[0])
    estimate_s: float | None = Field(
        None, description="seconds until it is done, from the measured rate", examples=[3.4]
    )
    created_at: datetime = Field(description="when it was accepted")
    started_at: datetime | None = Field(None, description="when its picture began to be decoded")
    ended_at: datetime | None = Field(None, description="when it succeeded, failed or was cancelled")
    stages_s: dict[str, float] = Field(
        default_factory=dict,
        description="seconds in each stage, once ended",
        examples=[{"queue": 0.4, "decode": 0.01, "infer": 3.2, "assemble": 0.02, "encode": 0.03}],
    )
    result: ResultView | None = Field(None, description="the picture, of a job that succeeded, until it expires")
    error: Problem | None = Field(None, description="why it failed")
    links: dict[str, str] = Field(
        description="self, events, and result once there is one",
        examples=[{"self": "/jobs/3f2a9c0d4b5e6f708192a3b4c5d6e7f8"}],
    )

    @classmethod
    def of(cls, job: Job, outlook: Outlook | None, root: str = "") -> JobView:
        """The view of a snapshot; `root` is the path under which the service is mounted."""
        address = f"{root}/jobs/{job.id}"
        links = {"self": address, "events": f"{address}/events"}
        result = None
        if job.result and job.expires_at and not job.expired:
            links["result"] = f"{address}/result"
            expires_at = datetime.fromtimestamp(job.expires_at, UTC)
            result = ResultView(**vars(job.result), expires_at=expires_at)
        return cls(
            id=job.id,
            state=job.state,
            task=job.order.task,
            model=job.order.model,
            tiles_done=job.tiles_done,
            tiles_total=job.tiles_total,
            position=outlook.position if outlook else None,
            estimate_s=round(outlook.seconds, 3) if outlook else None,
            created_at=datetime.fromtimestamp(job.created_at, UTC),
            started_at=_moment(job.started_at),
            ended_at=_moment(job.ended_at),
            stages_s={stage: round(seconds, 6) for stage, seconds in job.stages.items()},
            result=result,
            error=problems.of_failure(job.failure, job.order.request_id) if job.failure else None,
            links=links,
        )


@router.get("/jobs/{job_id}", summary="Where a job stands", responses=responses(401, 404, 422, 503))
async def show(request: Request, parts: Parts, job: VisibleJob) -> JobView:
    """State, progress in tiles, and while it waits its position and an estimate."""
    return await view(request, parts.queue, job)


@router.get(
    "/jobs/{job_id}/events",
    summary="A job's progress, live",
    response_class=EventSourceResponse,
    responses=responses(401, 404, 422, 503),
)
async def events(request: Request, parts: Parts, job: VisibleJob) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `progress` at every change, then `end`, after which the stream closes. Data is the job.

    While the job is queued, `progress` comes every few seconds, with its new position and estimate.
    """
    async for snapshot in refreshed(parts.queue.watch(job.id), REFRESH_S):
        name = "end" if snapshot.state.ended else "progress"
        yield ServerSentEvent(event=name, data=await view(request, parts.queue, snapshot))


@router.head("/jobs/{job_id}/events", include_in_schema=False)
async def events_head(job: VisibleJob) -> Response:
    """What the stream begins with; it is not begun, for it may last for hours."""
    return EventSourceResponse(())


@router.get(
    "/jobs/{job_id}/result",
    summary="The restored picture",
    response_class=FileResponse,
    responses=responses(401, 404, 409, 410, 413, 415, 416, 422, 500, 503)
    | {
        200: documentation.PICTURE,
        206: {"description": "The part that the Range header asks for"},
        304: {"description": "The client has it already, as its If-None-Match says"},
    },
)
@router.head("/jobs/{job_id}/result", include_in_schema=False)
async def result(request: Request, parts: Parts, job: VisibleJob) -> Response:
    """Ranges and If-None-Match are understood. A failed job answers with its error, an unfinished one with 409."""
    return await picture(request, parts.queue, job)


@router.delete("/jobs/{job_id}", summary="Cancel a job", responses=responses(401, 404, 422, 503))
async def cancel(request: Request, parts: Parts, job: VisibleJob) -> JobView:
    """A queued or running job is cancelled; of one that has ended, the result is deleted. Doing so twice is fine."""
    return await view(request, parts.queue, await parts.queue.cancel(job.id))


async def view(request: Request, queue: JobQueue, job: Job) -> JobView:
    """The view of a job with what it has to wait for, where that can be found out."""
    outlook = None
    with suppress(NotReady):
        outlook = await queue.outlook(job.id)
    return JobView.of(job, outlook, request.scope.get("root_path", ""))


async def picture(request: Request, queue: JobQueue, job: Job) -> Response:
    """The answer that is a job's picture; raises what `JobQueue.result` raises."""
    job, path = await queue.result(job.id)
    assert job.result is not None  # of a job that has a file
    etag = f'"{job.result.sha256}"'
    extension = job.result.media_type.partition("/")[2]
    headers = {
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'inline; filename="{job.order.task}-{job.id[:8]}.{extension}"',
        "Server-Timing": ", ".join(f"{stage};dur={seconds * 1e3:.1f}" for stage, seconds in job.stages.items()),
        "X-Model": job.result.model_label,
    }
    known = {tag.strip().removeprefix("W/") for tag in (listed(request.headers, "if-none-match") or "").split(",")}
    if request.method != "POST" and known & {etag, "*"}:
        path.unlink()
        return Response(status_code=304, headers=headers)
    return _LentFile(path, headers=headers, media_type=job.result.media_type)


class _LentFile(FileResponse):
    """A file that is deleted once it is sent, or the client has gone. A Range that cannot be understood is ignored."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_range(Headers(scope=scope).get("range", "")):
            scope = {**scope, "headers": [header for header in scope["headers"] if header[0] != b"range"]}
        try:
            await super().__call__(scope, receive, send)
        finally:
            Path(self.path).unlink(missing_ok=True)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
