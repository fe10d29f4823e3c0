"""For machines that watch: alive, ready, metrics."""

from __future__ import annotations

import math
from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from service.api.dependencies import Parts
from service.api.problems import responses
from service.errors import NotReady
from service.jobs.queue import Backlog

router = APIRouter(tags=["health"])

UNKNOWN: Final = Backlog(math.nan, math.nan, math.nan)


class Health(BaseModel):
    """A healthy answer."""

    status: str = "ok"


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """200 as long as the process answers at all, however long the queue is."""
    return Health()


@router.get("/readyz", summary="Are jobs being done?", responses=responses(503))
async def readyz(parts: Parts) -> Health:
    """200 once the networks are loaded and warm and the queue can be reached; a full queue is no fault."""
    await parts.queue.check()
    return Health()


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def metrics(parts: Parts) -> Response:
    """All metrics in Prometheus' text format."""
    try:
        backlog = await parts.queue.backlog()
    except NotReady:  # while Redis is away, what was counted here is worth all the more
        backlog = UNKNOWN
    parts.metrics.queue_jobs.set(backlog.jobs)
    parts.metrics.queue_tile_units.set(backlog.tile_units)
    parts.metrics.queue_oldest.set(backlog.oldest_s)
    return Response(generate_latest(parts.metrics.registry), media_type=CONTENT_TYPE_LATEST)
