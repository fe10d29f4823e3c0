"""Measure on this machine what capacity.toml states: `python -m benchmarks.capacity_rates SUBJECT ...`.

Costs are processor time, not the clock's, so that other programs on the machine do not count; bandwidth is the clock's.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import redis

from imaging import codec
from imaging.stages import Layout
from service.catalogue import Catalogue
from service.engine import Engine, Options
from service.jobs import blobs
from service.planning import tile_units

RUNS = 3
SIDES = 1024, 1536
MEGABYTE = 1e6


def photo(args: argparse.Namespace) -> Iterator[str]:
    """What decoding, encoding and hashing cost for a photograph of the kind that clients send."""
    data = args.photo.read_bytes()
    limits = codec.Limits()
    picture = codec.decode(data, limits)
    megapixels = picture.pixels.shape[0] * picture.pixels.shape[1] / 1e6
    encoded = codec.encode(picture)
    yield f"# {megapixels:.1f} megapixels, {len(data)} bytes up, {len(encoded)} bytes down"
    yield f"decode_seconds_per_megapixel = {_seconds(lambda: codec.decode(data, limits)) / megapixels:.4f}"
    yield f"encode_seconds_per_megapixel = {_seconds(lambda: codec.encode(picture)) / megapixels:.4f}"
    yield f"hash_seconds_per_megabyte = {_seconds(lambda: hashlib.sha256(data).digest()) / (len(data) / MEGABYTE):.5f}"


def service(args: argparse.Namespace) -> Iterator[str]:
    """What a job costs API, worker and Redis, beyond its pixels; run it against a service that has nothing to do."""
    data = args.photo.read_bytes()
    client = httpx.Client(base_url=args.address, timeout=300)
    queue = redis.Redis.from_url(args.redis)

    def spent() -> dict[str, float]:
        info: Any = queue.info()
        return {
            "redis_seconds": info["used_cpu_user"] + info["used_cpu_sys"],
            "redis_commands": info["total_commands_processed"],
            "api_seconds": _processor_seconds(f"{args.address}/metrics"),
            "worker_seconds": _processor_seconds(args.worker),
        }

    before = spent()
    time.sleep(args.rest)
    rested = spent()
    start = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda _: client.post(f"/restore?task={args.task}", content=data), range(args.pictures))
        assert all(answer.status_code == 200 for answer in answers)
    idle = {name: (rested[name] - before[name]) / args.rest for name in before}
    took, after = time.monotonic() - start, spent()
    for name in before:
        each = (after[name] - rested[name] - idle[name] * took) / args.pictures
        yield f"{name}_per_job = {each:.5f}"
        yield f"{name}_per_second_idle = {idle[name]:.5f}"


def networks(args: argparse.Namespace) -> Iterator[str]:
    """What every network costs on one CPU core, measured on a picture that it has to cut."""
    from export import ladder
    from models import build, registry
    from models.count import count

    shipped = {card.name: card.halo for card in registry.cards()}  # an artifact's halo is cut to its own tiles
    for artifact in Catalogue.read(args.artifacts).artifacts:
        manifest = artifact.manifest
        engine = Engine(artifact, Options(threads=1, tried=False))
        course = engine.chart(*SIDES)
        noise = np.random.default_rng(0).random((*SIDES, manifest.in_channels), dtype=np.float32)
        network = build.create(manifest.network, manifest.config_name)
        yield f"[networks.{manifest.name}]"
        yield f'task = "{manifest.task}"'
        yield f"scale = {manifest.scale}"
        yield f"work = {course.work if isinstance(course, Layout) else 1:.3f}"
        yield f"tiles = {list(ladder.usual(manifest.scale, manifest.lattice, one_pass=True))}"
        yield f"halo = {shipped.get(manifest.name) or manifest.halo}"
        yield f"lattice = {manifest.lattice}"
        yield f"gigamacs_per_unit = {count(network, 256).macs / 1e9:.3f}"
        engine.restore(noise[:256, :256], engine.chart(256, 256))  # everything loaded
        start = time.process_time()
        engine.restore(noise, course)
        yield f"units_per_core_second = {tile_units(course) / (time.process_time() - start):.3f}"


def store(args: argparse.Namespace) -> Iterator[str]:
    """Bytes a second into a store of blobs and out of it again, as the service moves them."""
    there = blobs.connect(args.address)
    data, name = secrets.token_bytes(args.megabytes * 10**6), "uploads/capacity"
    try:
        for verb, move in (("put", lambda: there.put(name, data)), ("get", lambda: there.get(name))):
            taken = []
            for _ in range(RUNS):
                start = time.monotonic()
                move()
                taken.append(time.monotonic() - start)
            yield f"{verb}_bytes_per_second = {len(data) / median(taken):.0f}"
    finally:
        there.delete(name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print lines for capacity.toml."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity_rates", description=__doc__)
    subjects = parser.add_subparsers(dest="subject", required=True)
    made: Mapping[Callable[[argparse.Namespace], Iterator[str]], argparse.ArgumentParser] = {
        one: subjects.add_parser(one.__name__, description=one.__doc__) for one in (photo, service, networks, store)
    }
    for one in (photo, service):
        made[one].add_argument("photo", type=Path)
    made[service].add_argument("address", help="of the service: http://127.0.0.1:8000")
    made[service].add_argument("--redis", required=True, metavar="URL")
    made[service].add_argument("--worker", required=True, metavar="URL", help="metrics of its one worker")
    made[service].add_argument("--task", default="derain")
    made[service].add_argument("--pictures", type=int, default=100)
    made[service].add_argument("--rest", type=float, default=20, help="seconds to watch it idle first (default 20)")
    made[networks].add_argument("--artifacts", type=Path, default=Path(os.environ.get("UNSEAM_ARTIFACTS", "artifacts")))
    made[store].add_argument("address", help="a folder, or s3://bucket/prefix")
    made[store].add_argument("--megabytes", type=int, default=100)
    args = parser.parse_args(arguments)
    (measure,) = (one for one in made if one.__name__ == args.subject)
    for line in measure(args):
        print(line, flush=True)
    return 0


def _seconds(do: Callable[[], object]) -> float:
    """Processor time of this process."""
    taken = []
    for _ in range(RUNS):
        start = time.process_time()
        do()
        taken.append(time.process_time() - start)
    return median(taken)


def _processor_seconds(metrics: str) -> float:
    """Of another process, which tells it in its metrics."""
    (found,) = re.findall(r"^process_cpu_seconds_total (\S+)$", httpx.get(metrics).text, re.MULTILINE)
    return float(found)


if __name__ == "__main__":
    sys.exit(main())
