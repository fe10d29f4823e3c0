"""What is said to the service: no input or output here, both clients go by it."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any, Final, Literal, TypedDict

import httpx

from unseam.address import address, headers
from unseam.errors import ProblemError
from unseam.job import Job
from unseam.original import Original
from unseam.patience import passes
from unseam.picture import SUFFIXES, refuse_misnamed
from unseam.upload import Order, Upload

TIMEOUT: Final = httpx.Timeout(60, connect=10, pool=None)
LIMITS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=20)  # each watched job holds one
AT_ONCE: Final = 16
FAREWELL_S: Final = 5.0  # for the service to hear that nobody waits any more


class Options(TypedDict, total=False):
    """What may be chosen for a restoration besides its task.

    Attributes:
        model: a network of the task; by default the service's choice.
        scale: for upscale, the output's side over the input's: 2, 3 or 4.
        pattern: for demosaic, the mosaic row by row: rggb, bggr, grbg, gbrg.
        format: jpeg, png, webp, tiff or avif; by default the picture's own.
        quality: 1..100, of a lossy result.
        keep: metadata to keep: all, all but where the picture was taken, or none.
        frame: which page of a TIFF or frame of an animation, counted from 0.
    """

    model: str | None
    scale: int | None
    pattern: str | None
    format: str | None
    quality: int | None
    keep: Literal["all", "no-location", "none"] | None
    frame: int | None


def connection(url: str, key: str | None) -> dict[str, Any]:
    """What httpx has to know of a service, waiting or not. Raises InvalidAddress and InvalidKey."""
    return {"base_url": address(url, key), "headers": headers(key), "timeout": TIMEOUT, "limits": LIMITS}


def positive(at_once: int) -> int:
    """The same number. Raises ValueError for one with which nobody would ever have a turn."""
    if at_once < 1:
        raise ValueError(f"at_once is 1 or more, not {at_once}")
    return at_once


def named(options: Options, to: Path | None) -> Options:
    """The options, with the kind of file that a result's name says. Raises MisnamedFile if they say another."""
    kind = SUFFIXES.get(to.suffix.lower()) if to else None
    if to is None or kind is None:
        return options
    chosen = options.get("format") or kind.removeprefix("image/")
    if media_type := SUFFIXES.get(f".{chosen.lower()}"):  # else it is for the service to refuse
        refuse_misnamed(to, media_type)
    return Options(**options | {"format": chosen})


def order(http: httpx.Client | httpx.AsyncClient, original: Original, task: str, options: Options) -> Order:
    """What makes a job; sent again, it is still the same job."""
    chosen = {"task": task} | {name: str(value) for name, value in options.items() if value is not None}
    length = str(original.size_bytes)
    headers = {"Prefer": "respond-async", "Idempotency-Key": secrets.token_hex(16), "Content-Length": length}
    bare = http.build_request("POST", "restore", params=chosen, headers=headers)
    upload = Upload(original)
    whole = httpx.Request(bare.method, bare.url, headers=bare.headers, stream=upload, extensions=bare.extensions)
    return Order(whole, upload)


def succeeded(job: Job) -> Job:
    """The same job. Raises ProblemError if it failed or was cancelled."""
    if job.error:
        raise job.error
    if job.state == "cancelled":
        cancelled = ProblemError("The job was cancelled.", kind="cancelled", status=409)
        cancelled.job_id = job.id
        raise cancelled
    return job


def again(error: ProblemError) -> bool:
    """Whether the same order makes another job: this one failed of what passes, or went with a server's restart."""
    return error.kind == "job-not-found" or (error.job_id is not None and passes(error))
