"""What the routes are given: the service's parts, the client that asks, and the job it asks for."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path as Folder
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from imaging.codec import Limits
from service.api.uploads import Intake
from service.catalogue import Catalogue
from service.errors import InvalidParameter, JobNotFound, Unauthorized
from service.jobs.job import Job
from service.jobs.queue import JobQueue
from service.metrics import Metrics
from service.settings import Settings


@dataclass(frozen=True)
class Services:
    """The parts of one process, made by `service.api.app`.

    Attributes:
        folder: where uploads are put.
        probing: how many uploads are in memory at once while their headers are read.
        previewing: how many previews are made at once, each of a whole picture.
        intake: what is being received.
        closing: set when the process is about to end, and those who still wait get an answer.
    """

    settings: Settings
    limits: Limits
    catalogue: Catalogue
    queue: JobQueue
    folder: Folder
    metrics: Metrics
    probing: CapacityLimiter
    previewing: CapacityLimiter
    intake: Intake
    closing: asyncio.Event


def services(request: Request) -> Services:
    """The parts of this process."""
    found: Services = request.app.state.services
    return found


async def once(request: Request) -> None:
    """Refuse a parameter that comes twice, of which only the last would count. Raises InvalidParameter."""
    for name in request.query_params:
        if len(given := request.query_params.getlist(name)) > 1:
            raise InvalidParameter(f"The parameter {name!r} is given {len(given)} times.", parameter=name, given=given)


Parts = Annotated[Services, Depends(services)]

_bearer = HTTPBearer(auto_error=False, description="An API key, where the server is set up with some.")


def owner(parts: Parts, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> str:
    """The hash of the client's API key; empty where keys are off. Raises Unauthorized."""
    hashes = parts.settings.api_keys
    if not hashes:
        return ""
    if credentials is None:
        raise Unauthorized("This server wants an API key: send the header Authorization: Bearer KEY.")
    given = hashlib.sha256(credentials.credentials.encode()).hexdigest()
    # Every hash is compared, each in constant time: how long it takes tells nothing about the keys.
    matches = [hmac.compare_digest(given, known) for known in hashes]
    if not any(matches):
        raise Unauthorized("This API key is not known here.")
    return given


Owner = Annotated[str, Depends(owner)]


async def visible_job(
    parts: Parts,
    owner: Owner,
    job_id: Annotated[str, Path(description="The job's id.", examples=["3f2a9c0d4b5e6f708192a3b4c5d6e7f8"])],
) -> Job:
    """The job, if this client made it. Raises JobNotFound, for another client's job just the same."""
    job = await parts.queue.get(job_id)
    if job.order.owner != owner:
        raise JobNotFound(f"There is no job {job_id!r}.", job=job_id)
    return job


VisibleJob = Annotated[Job, Depends(visible_job)]
