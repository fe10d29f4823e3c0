"""POST /restore: a picture in, the restored picture out, now or later."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from imaging.codec import Format, Limits
from imaging.codec import Header as PictureHeader
from imaging.codec.encoding import Keep, refuse_shape
from imaging.errors import ImageTooLarge, PictureError
from imaging.mosaic import Pattern
from service.api import documentation, jobs
from service.api.dependencies import Owner, Parts, Services, once
from service.api.jobs import JobView
from service.api.negotiation import RESPOND_ASYNC, accepted_format, listed, preference
from service.api.problems import responses
from service.api.uploads import announced, header, received
from service.errors import NotReady, RetryLater
from service.errors import kind as kind_of
from service.jobs.job import Job, Order
from service.jobs.queue import JobQueue
from service.planning import chart, tile_units

router = APIRouter(tags=["restore"], dependencies=[Depends(once)])

CLIENT_WENT = 499  # nginx's number for it; nobody reads the answer, but the metrics count it

_MEDIA_TYPES: Final = {format: format.media_type for format in Format}
_SHORT: Final = {"jpg": "jpeg", "tif": "tiff"}
FormatName = Annotated[Format, BeforeValidator(lambda name: _SHORT.get(name.lower(), name.lower()))]
PatternName = Annotated[Pattern, BeforeValidator(str.lower)]


class Parameters(BaseModel):
    """What to do with the picture. A parameter that is not listed, or comes twice, is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    task: str = Field(
        description="one of GET /tasks: derain, denoise, dejpeg, deblur, defocus, weather, demosaic, upscale",
        examples=["derain"],
    )
    model: str | None = Field(
        None, description="one of GET /models; by default the task's", examples=["ipt-v2-tiny-derain"]
    )
    scale: int | None = Field(
        None, ge=1, le=8, description="for upscale: output side over input side; by default the smallest", examples=[2]
    )
    pattern: PatternName | None = Field(
        None, description="for demosaic: the first 2 x 2 filters, row by row; by default rggb", examples=["rggb"]
    )
    format: FormatName | None = Field(
        None, description="of the answer; by default Accept's, else the picture's own", examples=["png"]
    )
    quality: int | None = Field(None, ge=1, le=100, description="of a lossy answer; by default 95", examples=[90])
    keep: Keep = Field(
        "all",
        description="metadata to keep: `all`, all but where it was taken (GPS and the like), or `none`; the colour "
        "profile always stays",
        examples=["no-location"],
    )
    frame: int | None = Field(
        None, ge=0, description="which page of a TIFF or frame of an animation, from 0", examples=[0]
    )


@router.post(
    "/restore",
    summary="Restore a picture",
    response_class=FileResponse,
    openapi_extra=documentation.BODY | documentation.PREFER,
    responses=responses(400, 401, 413, 415, 422, 429, 500, 503)
    | {200: documentation.PICTURE, 202: documentation.ACCEPTED | {"model": JobView}},
)
async def restore(
    request: Request,
    parts: Parts,
    owner: Owner,
    parameters: Annotated[Parameters, Query()],
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            description="Asking again with the same key, picture and parameters gives the same job, not another one.",
            examples=["scan-0042-derain"],
        ),
    ] = None,
) -> Response:
    """Answers with the picture, in its own size (times scale), format, depth and colour profile.

    The format may be chosen by the Accept header as well.

    What takes longer than the client wants to wait is answered with 202 and goes on as a job. A client that closes the
    connection cancels what it was waiting for, unless it sent an Idempotency-Key: then it can come back for the result.
    """
    artifact = parts.catalogue.find(
        parameters.task, model=parameters.model, scale=parameters.scale, pattern=parameters.pattern
    )
    request.state.task = parameters.task
    wish = preference(listed(request.headers, "prefer"), parts.settings.wait_s, parts.settings.max_wait_s)
    try:
        if idempotency_key is None:  # else it may be for a job that was let in long ago
            least = tile_units(chart(artifact, 1, 1, backend=parts.settings.backend))
            coming = min(announced(request), parts.settings.max_body_bytes)  # what is more is refused as too large
            await parts.queue.admit(least, parts.intake.bytes + coming)
        async with received(request, parts.folder, parts.settings.max_body_bytes, parts.intake) as upload:
            picture = await to_thread.run_sync(
                header, upload.path, parts.limits, parameters.frame, limiter=parts.probing
            )
            scale = artifact.manifest.scale
            _refuse_giant(picture, scale, parts.limits)
            format = _format(request, parameters.format, picture, scale)
            backend = parts.settings.backend
            course = chart(artifact, picture.height, picture.width, backend=backend, pattern=parameters.pattern)
            order = Order(
                task=parameters.task,
                model=artifact.manifest.name,
                format=format,
                quality=parameters.quality,
                keep=parameters.keep,
                frame=parameters.frame,
                pattern=parameters.pattern,
                width=picture.width,
                height=picture.height,
                tiles=len(course),
                tile_units=tile_units(course),
                body_sha256=upload.sha256,
                body_bytes=upload.size_bytes,
                owner=owner,
                idempotency_key=idempotency_key,
                request_id=request.state.request_id,
            )
            job = await parts.queue.submit(order, upload.path)
    except RetryLater as refusal:
        parts.metrics.rejected.labels(kind_of(type(refusal))).inc()
        raise
    applied = {"Preference-Applied": wish.applied} if wish.applied else {}
    if wish.wait_s > 0 and not job.state.ended:
        ended = await _end_of(request, parts, job.id, wish.wait_s)
        if ended is None:
            if idempotency_key is None:
                await parts.queue.cancel(job.id)
                await parts.queue.forget(job.id)
            return Response(status_code=CLIENT_WENT)
        job = ended
        if parts.closing.is_set() and not (job.state.ended or parts.queue.outlasts_process):
            raise NotReady("The server is stopping; send the picture again in a moment.", retry_after_s=10)
    # Who asked not to wait gets the job, also where an Idempotency-Key finds it ended: it is what they can read.
    if wish.applied == RESPOND_ASYNC or not job.state.ended:
        return await _accepted(request, parts.queue, job, applied)
    try:
        answer = await jobs.picture(request, parts.queue, job)
    finally:
        if idempotency_key is None:  # nobody else knows of this job: it is room for others
            with suppress(RetryLater):
                await parts.queue.forget(job.id)
    answer.headers.update(applied)
    return answer


def _format(request: Request, asked: Format | None, picture: PictureHeader, scale: int) -> Format:
    """The answer's format. Raises UnsupportedImage or ImageTooLarge for one that cannot hold the picture."""

    def refuse(format: Format) -> None:
        refuse_shape(format, picture.height * scale, picture.width * scale, alpha=picture.alpha)

    def holds(format: Format) -> bool:
        try:
            refuse(format)
        except PictureError:
            return False
        return True

    format = asked or accepted_format(listed(request.headers, "accept"), _MEDIA_TYPES, picture.format, holds)
    refuse(format)
    return format


def _refuse_giant(picture: PictureHeader, scale: int, limits: Limits) -> None:
    """Hold what comes out to the limit of what goes in."""
    pixels = picture.width * picture.height * scale**2
    if pixels > limits.max_pixels:
        raise ImageTooLarge(
            f"Enlarged {scale} times, the picture has {pixels:,} pixels; at most {limits.max_pixels:,} are given.",
            found=pixels,
            allowed=limits.max_pixels,
            scale=scale,
        )


async def _accepted(request: Request, queue: JobQueue, job: Job, headers: dict[str, str]) -> Response:
    view = await jobs.view(request, queue, job)
    retry_after_s = max(1, math.ceil(view.estimate_s or 0))
    headers = {"Location": view.links["self"], "Retry-After": str(retry_after_s), **headers}
    return JSONResponse(view.model_dump(mode="json"), 202, headers)


async def _end_of(request: Request, parts: Services, job_id: str, timeout_s: float) -> Job | None:
    """The job when it has ended, time is up or the server stops; None if the client closed the connection first."""
    end = asyncio.create_task(_last(parts.queue.watch(job_id)))
    gone = asyncio.create_task(_disconnected(request))
    closing = asyncio.create_task(parts.closing.wait())
    try:
        await asyncio.wait({end, gone, closing}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if end.done():
            return end.result()
        return None if gone.done() else await parts.queue.get(job_id)
    finally:
        for task in (end, gone, closing):
            task.cancel()


async def _last(snapshots: AsyncIterator[Job]) -> Job:
    async for job in snapshots:
        if job.state.ended:
            return job
    raise AssertionError("a job's snapshots end with its end")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
