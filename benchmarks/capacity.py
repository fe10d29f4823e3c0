"""How much hardware a load takes, and what saturates first: `python -m benchmarks.capacity`.

A small simulation of pictures on their way through the service: each queues at every resource it needs (API cores,
network cards, Redis, cores for decoding and encoding, workers), first come, first served, and takes there as long as
capacity.toml says. A worker is a GPU, or a CPU core.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.queueing import Visit, poisson, simulate
from imaging import tiling

RATES: Final = Path(__file__).with_name("capacity.toml")
FLEETS: Final = (1, 2, 4, 8, 16, 32, 64, 128)
LOAD: Final = 0.8  # of what the scarcest resource could do: above, waiting grows without bound
PICTURES: Final = 1500  # and more for large fleets, so that the last ones' end does not count
PICTURES_PER_WORKER: Final = 40
SEED: Final = 8
UNIT_PIXELS: Final = 256 * 256
SHARED_UNITS: Final = 64  # pictures of more are shared among workers, in shares of at least as many
NETWORK: Final = "ipt-v2-tiny-derain"


@dataclass(frozen=True)
class Network:
    """One network on one kind of worker.

    Attributes:
        units_per_second: tile units (256 x 256 pixels through the network) that one worker does.
        work: what is computed over the picture's area where it goes through the network's segments; None where tiles go
            through the whole network in one pass, as on TensorRT.
        tiles: sides of the tiles that one pass may take.
        halo: around each tile's core, in one pass.
        lattice: see `imaging.tiling`.
        scale: output side over input side.
    """

    units_per_second: float
    work: float | None = None
    tiles: tuple[int, ...] = (256, 512, 1024)
    halo: int = 128
    lattice: int = 128
    scale: int = 1

    @classmethod
    def known(cls, entry: Mapping[str, Any], units_per_second: float | None = None, one_pass: bool = False) -> Self:
        """A network of capacity.toml, by default on one CPU core."""
        return cls(
            units_per_second or entry["units_per_core_second"],
            None if one_pass else entry["work"],
            tuple(entry["tiles"]),
            entry["halo"],
            entry["lattice"],
            entry["scale"],
        )

    def units(self, megapixels: float) -> float:
        """Tile units of a 4:3 picture, halos included, as the service plans it."""
        if self.work:
            return self.work * megapixels * 1e6 / UNIT_PIXELS
        tiles = self.one_pass(megapixels)
        return len(tiles) * tiles.tile**2 / UNIT_PIXELS

    def one_pass(self, megapixels: float) -> tiling.Plan:
        """The tiles of a 4:3 picture: of those that leave a core, the ones of least work."""
        height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
        plans = (
            tiling.plan(height, height * 4 // 3, tile=tile, halo=self.halo, lattice=self.lattice, scale=self.scale)
            for tile in self.tiles
            if tile - 2 * self.halo >= self.lattice
        )
        return min(plans, key=lambda plan: plan.work)

    def shares(self, units: float, workers: int) -> int:
        """How many workers restore a picture together: tiles of one pass are independent of one another."""
        return 1 if self.work else min(workers, max(1, int(units // SHARED_UNITS)))

    def on_redis(self, megapixels: float, redis: Mapping[str, float], what: str) -> float:
        """`what` a picture costs Redis beside its job: by leased tiles if workers share it, else by the unit."""
        units = self.units(megapixels)
        if self.shares(units, 2) > 1:
            return redis[f"{what}_per_shared_tile"] * len(self.one_pass(megapixels))
        return redis[f"{what}_per_tile_unit"] * units


def journey(megapixels: float, network: Network, rates: Mapping[str, Any], servers: Mapping[str, int]) -> list[Visit]:
    """What one picture needs, in order."""
    picture, api, codec, redis, blobs = (rates[name] for name in ("picture", "api", "codec", "redis", "blobs"))
    out = megapixels * network.scale**2
    upload, result = megapixels * picture["upload_bytes_per_megapixel"], out * picture["result_bytes_per_megapixel"]
    units = network.units(megapixels)
    # Redis answers one after the other; what workers at rest ask of it is taken off its one core.
    on_redis = redis["core_seconds_per_job"] + network.on_redis(megapixels, redis, "core_seconds")
    left = max(0.01, 1 - servers["worker"] * redis["core_seconds_per_worker_second"])
    # Bytes go up once and down once on either side of the store; a card is one server, the store as many as its rate
    # holds of them.
    card = blobs["bytes_per_second_per_host"]
    return [
        Visit("api", api["core_seconds_per_request"] + api["core_seconds_per_megabyte"] * (upload + result) / 1e6),
        Visit("redis", on_redis / left),
        Visit("store", 2 * (upload + result) / card),
        Visit("card", (upload + result) / card),
        Visit("codec", codec["core_seconds_per_job"] + codec["decode_seconds_per_megapixel"] * megapixels),
        Visit("worker", units / network.units_per_second, network.shares(units, servers["worker"])),
        Visit("codec", codec["encode_seconds_per_megapixel"] * out),
    ]


def fleet(workers: int, rates: Mapping[str, Any], api_cores: int) -> dict[str, int]:
    """Servers of each resource, with so many workers."""
    hosts = math.ceil(workers / rates["host"]["workers"])
    blobs = rates["blobs"]
    return {
        "api": api_cores,
        "redis": 1,
        "store": max(1, blobs["bytes_per_second_of_store"] // blobs["bytes_per_second_per_host"]),
        "card": hosts,
        "codec": hosts * rates["host"]["codec_cores"],
        "worker": workers,
    }


def megapixels_of_pictures(count: int, picture: Mapping[str, float], seed: int) -> list[float]:
    """Log-normal sizes around the mean; the same for the same seed."""
    draw = random.Random(seed)
    mean = math.log(picture["megapixels"]) - picture["spread"] ** 2 / 2
    return [draw.lognormvariate(mean, picture["spread"]) for _ in range(count)]


def plan(network: Network, rates: Mapping[str, Any], workers: int, pictures: int = 0) -> dict[str, Any]:
    """One line of the table: what so many workers restore at `LOAD`, with API cores to match, and what limits them."""
    pictures = pictures or max(PICTURES, PICTURES_PER_WORKER * workers)
    sizes = megapixels_of_pictures(pictures, rates["picture"], SEED)
    api_cores = 1
    while True:
        servers = fleet(workers, rates, api_cores)
        visits = [journey(size, network, rates, servers) for size in sizes]
        needs = {name: sum(v.seconds for all_ in visits for v in all_ if v.resource == name) for name in servers}
        loads = {name: needs[name] / servers[name] for name in servers}
        scarcest = max(loads, key=lambda name: loads[name])
        if scarcest != "api":
            break
        api_cores += 1  # the cheapest of all: never let it be the limit
    rate = LOAD * pictures / loads[scarcest]
    outcome = simulate(poisson(pictures, rate, SEED), visits, servers, sum(sizes))
    return {
        "workers": workers,
        "hosts": servers["card"],
        "api_containers": api_cores,
        "megapixels_per_second": outcome.megapixels_per_second,
        "pictures_per_minute": 60 * rate,
        "p50_s": outcome.p50_s,
        "p95_s": outcome.p95_s,
        "redis_busy": outcome.busy["redis"],
        "redis_commands_per_second": _redis_commands(rate, sizes, network, rates["redis"], workers),
        "bytes_per_second_per_host": rate * _mean_bytes(sizes, network, rates["picture"]) / servers["card"],
        "network_busy": max(outcome.busy["card"], outcome.busy["store"]),
        "codec_busy": outcome.busy["codec"],
        "worker_busy": outcome.busy["worker"],
        "scarcest": scarcest,
    }


def _redis_commands(
    rate: float, sizes: Sequence[float], network: Network, redis: Mapping[str, float], workers: int
) -> float:
    on_tiles = sum(network.on_redis(size, redis, "commands") for size in sizes) / len(sizes)
    return rate * (redis["commands_per_job"] + on_tiles) + workers * redis["commands_per_worker_second"]


def _mean_bytes(sizes: Sequence[float], network: Network, picture: Mapping[str, float]) -> float:
    """That one picture moves between the store and a worker's host, both ways together."""
    each = picture["upload_bytes_per_megapixel"] + picture["result_bytes_per_megapixel"] * network.scale**2
    return each * sum(sizes) / len(sizes)


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a plan as a Markdown table."""
    yield (
        "| workers | hosts | APIs | MP/s | pictures/min | p50 | p95 | workers busy | codec | blobs | MB/s per host "
        "| Redis | commands/s | limit |"
    )
    yield "|---:" * 13 + "|---|"
    for row in rows:
        cells = (
            f"{row['workers']}",
            f"{row['hosts']}",
            f"{row['api_containers']}",
            f"{row['megapixels_per_second']:,.2f}",
            f"{row['pictures_per_minute']:,.1f}",
            f"{row['p50_s']:.1f} s",
            f"{row['p95_s']:.1f} s",
            f"{row['worker_busy']:.0%}",
            f"{row['codec_busy']:.0%}",
            f"{row['network_busy']:.0%}",
            f"{row['bytes_per_second_per_host'] / 1e6:,.1f}",
            f"{row['redis_busy']:.0%}",
            f"{row['redis_commands_per_second']:,.0f}",
            row["scarcest"],
        )
        yield f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plan."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--network", default=NETWORK, metavar="NAME", help=f"in capacity.toml (default {NETWORK})")
    parser.add_argument("--units-per-second", type=float, help="that one worker does (default: a CPU core, measured)")
    parser.add_argument(
        "--one-pass", action="store_true", help="as TensorRT runs it: tiles with halos, shared by workers"
    )
    parser.add_argument("--workers", type=_counts, default=FLEETS, metavar="N,...", help="sizes of the fleet")
    parser.add_argument("--rates", type=Path, default=RATES, help="costs of everything (default capacity.toml)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    args = parser.parse_args(arguments)
    rates = tomllib.loads(args.rates.read_text())
    if args.network not in rates["networks"]:
        parser.error(f"no network {args.network!r} in {args.rates}; there are {', '.join(rates['networks'])}")
    network = Network.known(rates["networks"][args.network], args.units_per_second, args.one_pass)
    rows = [plan(network, rates, workers) for workers in args.workers]
    print(json.dumps({"plan": rows}) if args.json else "\n".join(table(rows)))
    return 0


def _counts(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 1,4,16")
    return tuple(int(part) for part in parts)


if __name__ == "__main__":
    sys.exit(main())
