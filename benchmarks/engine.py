"""`unseam bench engine`: what a tile costs on each CPU runtime, beside torch and the machine's bare arithmetic.

Every measurement runs in a process of its own, so that its peak memory is its own and no runtime's threads disturb
another's. The floor is the time that the network's multiplications alone would take at the rate of a bare convolution
or matrix product, whichever is faster, measured in the same run. Torch computes each network twice: as its paper writes
it, every branch of Rep-LeFFN by itself, and as it is here, with the branches added up.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import memory
from export import manifest as manifests
from export import storage
from export.command import sides
from export.manifest import Manifest, ManifestError
from training.arguments import at_least

WRITTEN, EAGER, COMPILED = "torch as written", "torch eager", "torch.compile"
ON_CPU = {"onnx", "openvino"}
EAGER_AS = "torch"  # the backend that EAGER stands for


@dataclass(frozen=True)
class Cost:
    """What one tile takes on one runtime.

    Attributes:
        ms_per_tile: the best of several runs, by the clock.
        cpu_ms_per_tile: the same in process CPU time, over all threads, which another program's load does not touch.
        peak_mb: the process's largest resident memory, the runtime itself included.
    """

    ms_per_tile: float
    cpu_ms_per_tile: float
    peak_mb: float

    def best(self, other: Cost) -> Cost:
        """The least time of two measurements, and the most memory: what else the machine does only takes time."""
        return Cost(
            min(self.ms_per_tile, other.ms_per_tile),
            min(self.cpu_ms_per_tile, other.cpu_ms_per_tile),
            max(self.peak_mb, other.peak_mb),
        )


@dataclass(frozen=True)
class Row:
    """One network, tile and runtime; ratios say how many times faster than torch it is in CPU time."""

    network: str
    precision: str
    tile: int
    runtime: str
    cost: Cost
    megapixels_per_s: float
    times_written: float | None
    times_eager: float | None
    times_compiled: float | None
    floor_ms: float


@dataclass(frozen=True)
class LeftOut:
    """A runtime of an artifact, or torch.compile, that has no row, and why."""

    network: str
    tile: int
    runtime: str
    why: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="exported networks (default: all)")
    parser.add_argument("--artifacts", type=Path, help="their folder (default $UNSEAM_ARTIFACTS, or ./artifacts)")
    parser.add_argument("--tiles", type=sides, metavar="SIDE,...", help="of the ladder, these alone")
    parser.add_argument("--threads", type=at_least(1), default=1, help="CPU threads of every runtime (default 1)")
    parser.add_argument(
        "--runs", type=at_least(1), default=3, help="timed runs of each, after one that warms up (default 3)"
    )
    parser.add_argument(
        "--rounds",
        type=at_least(1),
        default=1,
        help="turns that all runtimes of a tile take, the best counts (default 1)",
    )
    parser.add_argument("--skip-compile", action="store_true", help="leave torch.compile out: it takes minutes")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def run(args: argparse.Namespace) -> int:
    """Measure every artifact; print a row for each tile and runtime as it is known."""
    root = args.artifacts or storage.default_root()
    artifacts = list(_artifacts(root, args.names))
    _check_tiles(args.tiles or (), [manifest for _, manifest in artifacts])
    rate = _alone(_rate, args.threads)
    _say(args, f"this machine: {rate / 1e9:.1f} billion multiply-adds a second on {args.threads} thread(s)")
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    for folder, manifest in artifacts:
        for row in _rows(folder, manifest, rate, args):
            if isinstance(row, LeftOut):
                left_out.append(row)
                _say(args, f"{row.network} tile {row.tile:>4} {row.runtime}: {row.why}")
            else:
                rows.append(row)
                _say(args, _line(row))
    if args.json:
        report = {"threads": args.threads, "macs_per_s": rate, "ratios_of": "cpu_ms_per_tile"}
        print(json.dumps(report | {"rows": list(map(asdict, rows)), "left_out": list(map(asdict, left_out))}))
    return 0


def _artifacts(root: Path, names: list[str]) -> Iterator[tuple[Path, Manifest]]:
    folders = [root / name for name in names] or sorted(path.parent for path in root.glob(f"*/{manifests.FILE_NAME}"))
    if not folders:
        raise ManifestError(f"there are no artifacts in {root}: unseam export --missing makes them")
    for folder in folders:
        yield folder, manifests.load(folder)


def _check_tiles(wanted: Iterable[int], exported: Sequence[Manifest]) -> None:
    """Raise ManifestError for a tile that no artifact has."""
    there_are = sorted({tile for manifest in exported for tile in manifest.tiles})
    if unknown := sorted(set(wanted) - set(there_are)):
        raise ManifestError(
            f"no artifact has tiles of {', '.join(map(str, unknown))}; there are {', '.join(map(str, there_are))}"
        )


def _rows(folder: Path, manifest: Manifest, rate: float, args: argparse.Namespace) -> Iterator[Row | LeftOut]:
    for tile in (tile for tile in manifest.tiles if args.tiles is None or tile in args.tiles):
        floor_ms = 1e3 * _alone(_macs, manifest, tile) / rate
        shape = (1, manifest.in_channels, tile, tile)
        made: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
            WRITTEN: (_written, (manifest,)),
            EAGER: (_torch, (manifest, False)),
        }
        if not args.skip_compile:
            made[COMPILED] = (_torch, (manifest, True))
        for backend in manifest.backends:
            if backend in ON_CPU:
                made[backend] = (_runner, (backend, folder / manifest.graph(tile).file))
            elif backend != EAGER_AS:
                yield LeftOut(manifest.name, tile, backend, "runs on a GPU, and this measures the CPU")
        costs: dict[str, Cost] = {}
        for name, how in args.rounds * list(made.items()):
            try:
                cost = _alone(_cost, *how, shape, args.threads, args.runs)
                costs[name] = cost.best(costs.get(name, cost))
            except Exception as error:
                if name != COMPILED:
                    raise
                yield LeftOut(manifest.name, tile, name, f"gave up: {error}".splitlines()[0])
        for runtime, cost in costs.items():
            yield Row(
                manifest.name,
                manifest.precision,
                tile,
                runtime,
                cost,
                megapixels_per_s=tile * tile / 1e3 / cost.ms_per_tile,
                times_written=_ratio(costs.get(WRITTEN), cost),
                times_eager=_ratio(costs.get(EAGER), cost),
                times_compiled=_ratio(costs.get(COMPILED), cost),
                floor_ms=floor_ms,
            )


def _alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's answer from a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _cost(
    make: Callable[..., Any], arguments: tuple[Any, ...], shape: tuple[int, ...], threads: int, runs: int
) -> Cost:
    import numpy as np

    compute = make(*arguments, threads)
    tiles = np.random.default_rng(0).random(shape, dtype=np.float32)
    compute(tiles)
    times = [_timed(lambda: compute(tiles)) for _ in range(runs)]
    peak_mb = memory.peak() / 2**20
    return Cost(min(wall for wall, _ in times), min(cpu for _, cpu in times), peak_mb)


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock, and of this process's CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def _runner(backend: str, path: Path, threads: int) -> Any:
    from export import runners

    return runners.load(backend, path, threads=threads)


def _network(manifest: Manifest) -> Any:
    """The network of a manifest; its weights do not matter for the time."""
    from export.subject import make_config
    from models import build

    return build.create(manifest.network, make_config(manifest.network, dict(manifest.config))).eval()


def _torch(manifest: Manifest, compiled: bool, threads: int) -> Any:
    import torch

    torch.set_num_threads(threads)
    network = _network(manifest)
    compute = torch.compile(network.restore, dynamic=False) if compiled else network.restore

    def call(tiles: Any) -> object:
        with torch.inference_mode():
            return compute(torch.from_numpy(tiles))

    return call


def _written(manifest: Manifest, threads: int) -> Any:
    from benchmarks.as_written import as_written

    compute = _torch(manifest, False, threads)

    def call(tiles: Any) -> object:
        with as_written():
            return compute(tiles)

    return call


def _macs(manifest: Manifest, tile: int) -> int:
    from models.count import count

    return count(_network(manifest), tile).macs


def _rate(threads: int) -> float:
    """Multiply-adds a second of a bare 3x3 convolution or a bare matrix product, whichever is faster."""
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(threads)
    x, kernel = torch.randn(1, 64, 128, 128), torch.randn(64, 64, 3, 3)
    a, b = torch.randn(1024, 512), torch.randn(512, 1024)
    with torch.inference_mode():
        convolution = min(_timed(lambda: F.conv2d(x, kernel, padding=1))[1] for _ in range(5))
        product = min(_timed(lambda: a @ b)[1] for _ in range(5))
    return 1e3 * threads * max(64 * 64 * 9 * 128 * 128 / convolution, 1024 * 512 * 1024 / product)


def _ratio(reference: Cost | None, cost: Cost) -> float | None:
    return reference.cpu_ms_per_tile / cost.cpu_ms_per_tile if reference else None


def _line(row: Row) -> str:
    beside = "".join(
        f"  {ratio:.2f} x {name}"
        for name, ratio in ((WRITTEN, row.times_written), (EAGER, row.times_eager), (COMPILED, row.times_compiled))
        if ratio and row.runtime != name
    )
    return (
        f"{row.network} {row.precision} tile {row.tile:>4} {row.runtime:<13} {row.cost.ms_per_tile:8.1f} ms"
        f" ({row.cost.cpu_ms_per_tile:.1f} CPU)  {row.megapixels_per_s:6.3f} MP/s  {row.cost.peak_mb:5.0f} MB"
        f"  floor {row.floor_ms:.1f} ms{beside}"
    )


def _say(args: argparse.Namespace, text: str) -> None:
    print(text, file=sys.stderr if args.json else sys.stdout, flush=True)
