"""POST /preview: what a browser cannot show, such as a TIFF, as a small picture that it can."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response

from imaging.codec import Limits
from imaging.codec.preview import preview
from service.api import documentation
from service.api.dependencies import Owner, Parts, once
from service.api.problems import responses
from service.api.uploads import header, received

router = APIRouter(tags=["restore"], dependencies=[Depends(once)])

SIDE: Final = 2048  # pixels: more than most screens show


@router.post(
    "/preview",
    summary="See a picture small",
    response_class=Response,
    openapi_extra=documentation.BODY,
    responses=responses(400, 401, 413, 415, 422, 500, 503) | {200: documentation.PREVIEW},
)
async def see(
    request: Request,
    parts: Parts,
    _: Owner,
    frame: Annotated[
        int | None, Query(ge=0, description="which page of a TIFF or frame of an animation, from 0", examples=[0])
    ] = None,
) -> Response:
    """Answers at once with a WebP in sRGB, upright, whose sides have at most 2048 pixels; nothing is restored."""
    async with received(request, parts.folder, parts.settings.max_body_bytes, parts.intake) as upload:
        small, sides = await to_thread.run_sync(_small, upload.path, parts.limits, frame, limiter=parts.previewing)
    return Response(small, media_type="image/webp", headers={"X-Picture-Size": sides, "Cache-Control": "no-store"})


def _small(path: Path, limits: Limits, frame: int | None) -> tuple[bytes, str]:
    """The preview, and the whole picture's sides."""
    sides = header(path, limits, frame)
    return preview(path.read_bytes(), SIDE, limits, frame=frame), f"{sides.width}x{sides.height}"
