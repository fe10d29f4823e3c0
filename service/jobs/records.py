"""Job records in Redis: how they are written (Lua, so that every change is whole) and read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any, Final

from pydantic import TypeAdapter

from service.errors import Failure
from service.jobs.job import Job, Order, Result, State, keeps_key
from service.planning import TILE_UNIT_PIXELS

UNFINISHED: Final = "unseam:unfinished"
EXPIRING: Final = "unseam:expiring"
TOTALS: Final = "unseam:totals"
OPEN: Final = "unseam:open"
WORKERS: Final = "unseam:workers"
SERVED: Final = "unseam:served"
PACE: Final = "unseam:pace"
CHANGED: Final = "unseam:changed:"

_ORDER: Final = TypeAdapter(Order)
_FOLDER: Final = files("service.jobs") / "scripts"


def record(job_id: str) -> str:
    """The key of a job's record."""
    return f"unseam:job:{job_id}"


def script(client: Any, name: str) -> Any:
    """The script `scripts/NAME.lua`, to be called on a client, blocking or not: `script(args=[...])`."""
    prelude = (_FOLDER / "prelude.lua").read_text()
    return client.register_script(f"{prelude}\n{(_FOLDER / name).with_suffix('.lua').read_text()}")  # type: ignore[attr-defined]


def submission(job_id: str, order: Order, *, max_cost_units: float, max_bytes: int) -> list[str | int]:
    """The arguments of `submit.lua`."""
    return [
        job_id,
        idempotency_key(order.owner, order.idempotency_key) if order.idempotency_key else "",
        fingerprint(order),
        _ORDER.dump_json(order).decode(),
        order.model,
        pixels(order.tile_units),
        order.tiles,
        order.body_bytes,
        pixels(max_cost_units),
        max_bytes,
    ]


def ending(
    job_id: str,
    attempt: int | str,
    state: State,
    *,
    result_ttl_s: float,
    record_ttl_s: float,
    result: Result | None = None,
    blob: str = "",
    failure: Failure | None = None,
    stages: Mapping[str, float] | None = None,
) -> list[str | int | float]:
    """The arguments of `finish.lua`."""
    fields = ["stages", json.dumps(dict(stages or {}))]
    if result:
        fields += ["result", json.dumps(asdict(result)), "blob", blob]
    if failure:
        fields += ["failure", dump_failure(failure)]
    size = result.size_bytes if result else 0
    key_ttl_s = result_ttl_s if keeps_key(state, failure) else 0
    return [job_id, attempt, str(state), result_ttl_s, record_ttl_s, key_ttl_s, size, *fields]


def dump_failure(failure: Failure) -> str:
    """A failure as it is kept in a record."""
    return json.dumps({"kind": failure.kind, "detail": failure.detail, "facts": dict(failure.facts)}, default=str)


def parse(job_id: str, fields: Mapping[bytes, bytes]) -> Job:
    """The job that a record describes."""

    def number(name: bytes) -> float | None:
        return float(fields[name]) if name in fields else None

    def loaded(name: bytes) -> Any:
        return json.loads(fields[name]) if fields.get(name) else None

    failure, result = loaded(b"failure"), loaded(b"result")
    return Job(
        id=job_id,
        order=_ORDER.validate_json(fields[b"order"]),
        created_at=float(fields[b"created_at"]),
        tiles_total=int(fields[b"tiles_total"]),
        state=State(fields[b"state"].decode()),
        tiles_done=int(fields[b"tiles_done"]),
        started_at=number(b"started_at"),
        ended_at=number(b"ended_at"),
        expires_at=number(b"expires_at"),
        expired=b"expired" in fields,
        stages=loaded(b"stages") or {},
        failure=Failure(**failure) if failure else None,
        result=Result(**result) if result else None,
    )


def idempotency_key(owner: str, key: str) -> str:
    """Under which the job of a client's Idempotency-Key is found; the client's own words are not kept."""
    return f"unseam:key:{hashlib.sha256(json.dumps([owner, key]).encode()).hexdigest()}"


def fingerprint(order: Order) -> str:
    """What makes two orders the same request."""
    return hashlib.sha256(json.dumps(order.fingerprint, default=str).encode()).hexdigest()


def pixels(tile_units: float) -> int:
    """Tile units as whole pixels: sums of them stay exact."""
    return round(tile_units * TILE_UNIT_PIXELS)


def seconds_left(cost: float, totals: Mapping[bytes, bytes], pace: Mapping[bytes, bytes], workers: int) -> float:
    """How long all workers need for `cost` pixels of the backlog's mixture of networks, from the measured rates."""
    rates = {model: float(seconds) for model, seconds in pace.items()}
    unknown = max(rates.values(), default=1.0)
    mixture = {name.removeprefix(b"cost:"): int(n) for name, n in totals.items() if name.startswith(b"cost:")}
    whole = sum(mixture.values())
    mean = sum(n * rates.get(model, unknown) for model, n in mixture.items()) / whole if whole else unknown
    return cost / TILE_UNIT_PIXELS * mean / max(1, workers)


def read(client: Any, job_id: str) -> Job | None:
    """The job as it stands, by a blocking client; None if there is none."""
    fields = client.hgetall(record(job_id))
    return parse(job_id, fields) if fields else None


def decoded(values: Sequence[bytes]) -> list[str]:
    """Strings of what Redis answers."""
    return [value.decode() for value in values]
