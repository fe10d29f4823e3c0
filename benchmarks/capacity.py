"""How much hardware a load takes, and what saturates first: `python -m benchmarks.capacity`.

A small simulation of pictures on their way through the service: each queues at every resource it needs (API cores,
network cards, Redis, cores for decoding and encoding, GPUs), first come, first served, and takes there as long as
capacity.toml and the network's measured rate say. A large picture is shared among the GPUs, as workers do.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imaging import tiling

RATES: Final = Path(__file__).with_name("capacity.toml")
FLEETS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
LOAD: Final = 0.8  # of what the scarcest resource could do: above, waiting grows without bound
PICTURES: Final = 1500
SEED: Final = 8
UNIT_PIXELS: Final = 256 * 256
SHARED_UNITS: Final = 64  # pictures of more are shared among GPUs, in shares of at least as many


@dataclass(frozen=True)
class Visit:
    """A picture's need of one resource: `seconds` of one server, in up to `shares` equal parts side by side."""

    resource: str
    seconds: float
    shares: int = 1


@dataclass(frozen=True)
class Outcome:
    """What a simulated load got.

    Attributes:
        megapixels_per_second: restored.
        p50_s: from arrival to the end.
        p95_s: likewise.
        busy: share of its servers' time in which each resource worked.
    """

    megapixels_per_second: float
    p50_s: float
    p95_s: float
    busy: Mapping[str, float]


def simulate(
    arrivals: Sequence[float], visits: Sequence[Sequence[Visit]], servers: Mapping[str, int], megapixels: float = 0
) -> Outcome:
    """Send pictures through their visits, in order, each resource serving first come, first served.

    Args:
        arrivals: of each picture, seconds, rising.
        visits: of each picture.
        servers: of each resource.
        megapixels: of all pictures together.
    """
    free = {name: [0.0] * count for name, count in servers.items()}
    worked = dict.fromkeys(servers, 0.0)
    ended = [0.0] * len(arrivals)
    events = [(time, picture, 0) for picture, time in enumerate(arrivals)]
    while events:
        now, picture, step = heapq.heappop(events)
        if step == len(visits[picture]):
            ended[picture] = now
            continue
        visit = visits[picture][step]
        end = now
        for _ in range(visit.shares):
            begin = max(now, heapq.heappop(free[visit.resource]))
            finish = begin + visit.seconds / visit.shares
            heapq.heappush(free[visit.resource], finish)
            end = max(end, finish)
        worked[visit.resource] += visit.seconds
        heapq.heappush(events, (end, picture, step + 1))
    took = sorted(end - start for start, end in zip(arrivals, ended, strict=True))
    duration = max(ended) - arrivals[0]
    busy = {name: worked[name] / (servers[name] * duration) for name in servers}
    return Outcome(megapixels / duration, took[len(took) // 2], took[math.ceil(0.95 * len(took)) - 1], busy)


@dataclass(frozen=True)
class Network:
    """One network on one kind of GPU.

    Attributes:
        units_per_second: tile units (256 x 256 pixels through the network) that one GPU does.
        tile: side of its tiles.
        halo: around each tile's core.
        lattice: see `imaging.tiling`.
        scale: output side over input side.
    """

    units_per_second: float
    tile: int = 512
    halo: int = 128
    lattice: int = 128
    scale: int = 1

    def units(self, megapixels: float) -> float:
        """Tile units of a 4:3 picture, halos included, as the service plans it."""
        height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
        plan = tiling.plan(
            height, height * 4 // 3, tile=self.tile, halo=self.halo, lattice=self.lattice, scale=self.scale
        )
        return len(plan) * self.tile**2 / UNIT_PIXELS


def journey(megapixels: float, network: Network, rates: Mapping[str, Any], servers: Mapping[str, int]) -> list[Visit]:
    """What one picture needs, in order."""
    picture, api, codec, redis, blobs = (rates[name] for name in ("picture", "api", "codec", "redis", "blobs"))
    out = megapixels * network.scale**2
    upload, result = megapixels * picture["upload_bytes_per_megapixel"], out * picture["result_bytes_per_megapixel"]
    units = network.units(megapixels)
    commands = redis["commands_per_job"] + redis["commands_per_tile_unit"] * units
    # Bytes go up once and down once on either side of the store; a card is one server, the store as many as its rate
    # holds of them.
    card = blobs["bytes_per_second_per_host"]
    shares = min(servers["gpu"], max(1, int(units // SHARED_UNITS)))
    return [
        Visit("api", api["core_seconds_per_request"] + api["core_seconds_per_megabyte"] * (upload + result) / 1e6),
        Visit("redis", commands / (redis["commands_per_second"] - servers["gpu"] * redis["commands_per_second_idle"])),
        Visit("store", 2 * (upload + result) / card),
        Visit("card", (upload + result) / card),
        Visit("codec", codec["core_seconds_per_job"] + codec["decode_seconds_per_megapixel"] * megapixels),
        Visit("gpu", units / network.units_per_second, shares),
        Visit("codec", codec["encode_seconds_per_megapixel"] * out),
    ]


def fleet(gpus: int, rates: Mapping[str, Any], api_cores: int) -> dict[str, int]:
    """Servers of each resource, with so many GPUs."""
    hosts = math.ceil(gpus / rates["host"]["gpus"])
    blobs = rates["blobs"]
    return {
        "api": api_cores,
        "redis": 1,
        "store": max(1, blobs["bytes_per_second_of_store"] // blobs["bytes_per_second_per_host"]),
        "card": hosts,
        "codec": hosts * rates["host"]["codec_cores"],
        "gpu": gpus,
    }


def megapixels_of_pictures(count: int, picture: Mapping[str, float], seed: int = SEED) -> list[float]:
    """Log-normal sizes around the mean; the same for the same seed."""
    draw = random.Random(seed)
    mean = math.log(picture["megapixels"]) - picture["spread"] ** 2 / 2
    return [draw.lognormvariate(mean, picture["spread"]) for _ in range(count)]


def poisson(count: int, rate: float, seed: int = SEED) -> list[float]:
    """Moments at which `count` clients come who do not know of one another, `rate` a second on average."""
    draw, now = random.Random(seed + 1), 0.0
    moments = []
    for _ in range(count):
        now += draw.expovariate(rate)
        moments.append(now)
    return moments


def plan(network: Network, rates: Mapping[str, Any], gpus: int, pictures: int = PICTURES) -> dict[str, Any]:
    """One line of the table: what so many GPUs restore at `LOAD`, with API cores to match, and what saturates first."""
    sizes = megapixels_of_pictures(pictures, rates["picture"])
    api_cores = 1
    while True:
        servers = fleet(gpus, rates, api_cores)
        visits = [journey(size, network, rates, servers) for size in sizes]
        needs = {name: sum(v.seconds for all_ in visits for v in all_ if v.resource == name) for name in servers}
        loads = {name: needs[name] / servers[name] for name in servers}
        scarcest = max(loads, key=lambda name: loads[name])
        if scarcest != "api":
            break
        api_cores += 1  # the cheapest of all: never let it be the limit
    rate = LOAD * pictures / loads[scarcest]
    outcome = simulate(poisson(pictures, rate), visits, servers, sum(sizes))
    return {
        "gpus": gpus,
        "hosts": servers["card"],
        "api_containers": api_cores,
        "megapixels_per_second": outcome.megapixels_per_second,
        "pictures_per_minute": 60 * rate,
        "p50_s": outcome.p50_s,
        "p95_s": outcome.p95_s,
        "redis_busy": outcome.busy["redis"],
        "network_busy": max(outcome.busy["card"], outcome.busy["store"]),
        "codec_busy": outcome.busy["codec"],
        "gpu_busy": outcome.busy["gpu"],
        "scarcest": scarcest,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a plan as a Markdown table."""
    yield "| workers | hosts | APIs | MP/s | pictures/min | p50 | p95 | GPU busy | codec | network | Redis | limit |"
    yield "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|"
    for row in rows:
        busy = " | ".join(f"{row[f'{name}_busy']:.0%}" for name in ("gpu", "codec", "network", "redis"))
        yield (
            f"| {row['gpus']} | {row['hosts']} | {row['api_containers']} | {row['megapixels_per_second']:,.2f} "
            f"| {row['pictures_per_minute']:,.1f} | {row['p50_s']:.2f} s | {row['p95_s']:.2f} s | {busy} "
            f"| {row['scarcest']} |"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plan."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--units-per-second", type=float, required=True, help="tile units that one GPU does: measured")
    parser.add_argument("--scale", type=int, default=1, help="of the network (default 1)")
    parser.add_argument("--tile", type=int, default=512, help="side of its tiles (default 512)")
    parser.add_argument("--halo", type=int, default=128, help="of its tiles (default 128)")
    parser.add_argument("--gpus", type=_counts, default=FLEETS, metavar="N,...", help="sizes of the fleet")
    parser.add_argument("--rates", type=Path, default=RATES, help="costs of everything else (default capacity.toml)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    args = parser.parse_args(arguments)
    network = Network(args.units_per_second, args.tile, args.halo, scale=args.scale)
    rates = tomllib.loads(args.rates.read_text())
    rows = [plan(network, rates, gpus) for gpus in args.gpus]
    print(json.dumps({"plan": rows}) if args.json else "\n".join(table(rows)))
    return 0


def _counts(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 1,4,16")
    return tuple(int(part) for part in parts)


if __name__ == "__main__":
    sys.exit(main())
