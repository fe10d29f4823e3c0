"""Every setting of the service, read once at the entry point and passed down.

Each is an environment variable with the prefix `UNSEAM_` (`UNSEAM_PORT=9000`).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from service.errors import ServiceError

PREFIX: Final = "UNSEAM_"
MIB: Final = 2**20

Backend = Literal["onnx", "openvino", "tensorrt", "tensorrt-rtx", "torch"]
KeyHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True, strip_whitespace=True)]


class InvalidSettings(ServiceError, ValueError):  # noqa: N818 - named for what it is, as service.errors
    """Settings that cannot be; the message names every one of them."""


class Settings(BaseSettings):
    """How one process of the service runs. Refuses nonsense when it is made."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, allow_inf_nan=False, env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    root_path: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="path, such as /restoration, that a proxy in front takes off; addresses in answers begin with it",
    )

    # NoDecode: a list as PATH has it, not JSON.
    artifacts: Annotated[tuple[Path, ...], NoDecode] = Field(
        (Path("artifacts"),),
        min_length=1,
        description="folders of exported networks, separated by colons as in PATH; exports are written to the first",
    )
    backend: Backend | None = Field(
        None, description="runtime for every network; by default each manifest's own choice"
    )
    device: str = Field("cpu", pattern=r"^(cpu|cuda(:\d+)?)$", description="cpu, cuda or cuda:N")
    threads: int | None = Field(None, ge=1, description="CPU threads for inference; by default the runtime's choice")
    batch: int = Field(1, ge=1, description="tiles in one call of the network at most")
    fixed_batch: bool = Field(
        False, description="fill every batch up: a tile's answer then has the same bytes whatever shares its batch"
    )
    one_pass: bool = Field(
        False,
        description="take tiles through the whole network at once, even where its segments are exact: off by about "
        "half a level of 8 bits where tiles are large enough (1024 for IPT-V2 and KiT), but all workers share a large "
        "picture's tiles",
    )
    codec_threads: int = Field(1, ge=1, le=64, description="threads that decode, and as many that encode")
    jobs_at_once: int = Field(
        4, ge=1, le=256, description="pictures restored at the same time; their tiles share batches"
    )
    large_tile_units: float = Field(
        64,
        ge=0,
        description="pictures of more work are restored one after the other, beside the others; one unit is 256 x 256 "
        "pixels through the network",
    )

    max_body_bytes: int = Field(256 * MIB, ge=1, description="largest upload")
    max_pixels: int = Field(200_000_000, ge=1, description="largest picture, in pixels")
    max_side: int = Field(65_535, ge=1, description="longest side of a picture, in pixels")
    max_backlog_tile_units: int = Field(
        4096, ge=1, description="work that may wait; one unit is 256 x 256 pixels through the network, halos included"
    )
    max_spool_bytes: int = Field(8192 * MIB, ge=1, description="room for uploads and results together")
    spool: Path | None = Field(
        None, description="folder for uploads and results; by default the system's temporary one"
    )

    redis_url: str | None = Field(
        None,
        description="Redis of the job queue (redis://, rediss://, unix:// or "
        "redis+sentinel://host:port,host:port/master-name); without it, the queue lives in the API's process",
    )
    blobs: str = Field(
        "blobs",
        min_length=1,
        description="where uploads and results lie with Redis: a shared folder or s3://bucket/prefix",
    )
    max_attempts: int = Field(3, ge=1, description="workers that a job may take down before it is given up")
    stall_s: float = Field(120, gt=0, description="a call of a network that takes longer ends its worker")
    recycle_jobs: int | None = Field(None, ge=1, description="jobs after which a worker ends, to be started afresh")
    recycle_bytes: int | None = Field(None, ge=1, description="memory growth after which a worker ends")
    metrics_port: int = Field(9108, ge=0, le=65535, description="port of a worker's metrics; 0 takes a free one")
    sweep_s: float = Field(
        60, gt=0, description="the janitor deletes files that belong to no job after they were seen so far apart, twice"
    )
    record_ttl_s: float = Field(
        86_400, gt=0, description="how long a job is remembered after its result has gone (410, then 404)"
    )

    wait_s: float = Field(60, ge=0, description="how long POST /restore waits for the picture before it answers 202")
    max_wait_s: float = Field(600, ge=0, description="longest wait that a client may ask for (Prefer: wait=N)")
    result_ttl_s: float = Field(3600, gt=0, description="how long a result can be fetched")
    drain_s: float = Field(
        30, ge=0, description="how long running requests, then running tiles, may take to end at shutdown"
    )

    # NoDecode: a list in plain commas, not JSON.
    api_keys: Annotated[tuple[KeyHash, ...], NoDecode] = Field(
        (), description="SHA-256 hashes of the keys that are let in, separated by commas; without any, everyone is"
    )

    @field_validator("artifacts", mode="before")
    @classmethod
    def _folders(cls, value: object) -> object:
        return tuple(map(Path, filter(None, value.split(os.pathsep)))) if isinstance(value, str) else value

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, (part.strip() for part in value.split(",")))) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if self.wait_s > self.max_wait_s:
            raise ValueError(f"UNSEAM_WAIT_S {self.wait_s:g} is over UNSEAM_MAX_WAIT_S {self.max_wait_s:g}")
        if self.max_spool_bytes < self.max_body_bytes:
            raise ValueError(
                f"UNSEAM_MAX_SPOOL_BYTES {self.max_spool_bytes} has no room for one upload of "
                f"UNSEAM_MAX_BODY_BYTES {self.max_body_bytes}"
            )
        return self


def read(**overrides: object) -> Settings:
    """Settings from the environment; an override that is None leaves its setting alone.

    Raises InvalidSettings naming every variable that cannot be.
    """
    try:
        return Settings.model_validate({name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise InvalidSettings(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    """`UNSEAM_PORT: Input should be less than or equal to 65535 (not '70000')`, for each fault."""
    faults = []
    for fault in error.errors(include_url=False):
        message = fault["msg"].removeprefix("Value error, ")
        # What was given for a key is not repeated: it may be the key itself.
        given = "" if not fault["loc"] or fault["loc"][0] == "api_keys" else f" (not {fault['input']!r})"
        name = f"{PREFIX}{str(fault['loc'][0]).upper()}: " if fault["loc"] else ""
        faults.append(f"{name}{message}{given}")
    return "; ".join(faults)
