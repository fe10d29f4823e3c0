"""The composition root: settings in, application out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from anyio import CapacityLimiter
from fastapi import FastAPI

from export import runners
from imaging.codec import Limits
from service.api import documentation, health, jobs, models, pages, previews, problems, restorations
from service.api.dependencies import Services
from service.api.methods import Methods
from service.api.observe import Observe
from service.api.uploads import Intake
from service.catalogue import Catalogue
from service.engine import Options
from service.jobs import blobs
from service.jobs.embedded import EmbeddedQueue
from service.jobs.inference import Inference, Load
from service.jobs.pace import Pace
from service.jobs.redis_queue import RedisQueue
from service.metrics import Metrics
from service.settings import InvalidSettings, Settings

DESCRIPTION: Final = """
Restores pictures with trained networks, whatever their size, without seams.

    curl --data-binary @rainy.png 'http://localhost:8000/restore?task=derain' -o clean.png

Every error is `application/problem+json`: a kind for machines, a sentence for people, and the facts.
"""


def create(settings: Settings, catalogue: Catalogue, load: Load = runners.load) -> FastAPI:
    """The application, with its queue inside the process or over Redis.

    Args:
        settings: of this process.
        catalogue: the networks to serve.
        load: makes runners; for tests, which have networks of their own.

    Raises InvalidSettings where this process would have to compute with torch, which takes its memory and its threads
    and whose crash would take the API along.
    """
    if settings.backend == "torch" and not settings.redis_url:
        raise InvalidSettings(
            "UNSEAM_BACKEND=torch computes in workers alone: set UNSEAM_REDIS_URL and start unseam worker, "
            "or leave UNSEAM_BACKEND out"
        )
    metrics = Metrics()
    limits = Limits(max_bytes=settings.max_body_bytes, max_pixels=settings.max_pixels, max_side=settings.max_side)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        queue = _queue(settings, catalogue, limits, metrics, load)
        app.state.services = Services(
            settings,
            limits,
            catalogue,
            queue,
            queue.folder,
            metrics,
            probing=CapacityLimiter(4),
            previewing=CapacityLimiter(2),
            intake=Intake(),
            closing=asyncio.Event(),
        )
        await queue.start()
        try:
            yield
        finally:
            await queue.stop()

    app = documentation.DescribedAPI(
        title="unseam",
        version=version("unseam"),
        summary="Image restoration without seams",
        description=DESCRIPTION,
        lifespan=lifespan,
        openapi_tags=documentation.TAGS,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Methods)
    app.add_middleware(Observe, metrics=metrics)
    problems.install(app)
    for module in (restorations, previews, jobs, models, health):
        app.include_router(module.router)
    pages.install(app)
    return app


def _queue(
    settings: Settings, catalogue: Catalogue, limits: Limits, metrics: Metrics, load: Load
) -> EmbeddedQueue | RedisQueue:
    if settings.redis_url:
        return RedisQueue(settings, blobs.connect(settings.blobs), metrics)
    pace = Pace()
    options = Options(settings.backend, settings.device, settings.threads, settings.batch, torch=False)
    inference = Inference(catalogue, options, metrics=metrics, pace=pace, fixed_batch=settings.fixed_batch, load=load)
    return EmbeddedQueue(settings, inference, pace, limits, metrics)
