"""`unseam bench engine`: what a tile costs on each runtime, beside torch and the machine's bare arithmetic.

On the CPU, or with `--device cuda` on a GPU: the first of those that CUDA_VISIBLE_DEVICES leaves. The floor is the time
that the network's multiplications alone would take at the rate of a bare convolution or matrix product, whichever is
faster, measured in the same run. Torch computes each network twice: as its paper writes it, every branch of Rep-LeFFN
by itself, and as it is here, with the branches added up.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks import engine_floor as floor
from benchmarks.engine_cost import Cost, alone, cost, load
from benchmarks.engine_runtimes import COMPILED, EAGER, WRITTEN, Make, runtimes
from export import manifest as manifests
from export import storage
from export.command import sides
from export.manifest import ENGINES, Manifest, ManifestError
from export.runners import BackendError
from imaging.errors import OutOfMemory
from training.arguments import at_least

# Which of a cost's times ratios compare: other programs lengthen the clock's on a CPU; a GPU works on no CPU time.
RATIOS_OF: Final = {"cpu": "cpu_ms_per_tile", "cuda": "ms_per_tile"}


@dataclass(frozen=True)
class Row:
    """One network, tile and runtime; ratios say how many times faster than torch it is, in the time `RATIOS_OF`."""

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
    parser.add_argument("--device", choices=tuple(RATIOS_OF), default="cpu", help="where to compute (default cpu)")
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
    device = alone(_gpu) if args.device == "cuda" else "cpu"
    root = args.artifacts or storage.default_root()
    artifacts = list(_artifacts(root, args.names))
    _check_tiles(args.tiles or (), [manifest for _, manifest in artifacts])
    rates: dict[str, float] = {}
    measured: list[tuple[Row, float]] = []
    left_out: list[LeftOut] = []
    for folder, manifest in artifacts:
        precision = manifest.precision
        # Before every network, and the best so far: a machine that others use too is not as fast at all times.
        rates[precision] = max(rates.get(precision, 0.0), alone(floor.rate, precision, args.device, args.threads))
        where = device if args.device == "cuda" else f"{args.threads} thread(s)"
        _say(args, f"{rates[precision] / 1e9:.1f} billion multiply-adds a second in {precision} on {where}")
        for row in _rows(folder, manifest, rates[precision], args):
            if isinstance(row, LeftOut):
                left_out.append(row)
                _say(args, f"{row.network} tile {row.tile:>4} {row.runtime}: {row.why}")
            else:
                measured.append((row, rates[precision]))
                _say(args, _line(row))
    if args.json:
        rows = [replace(row, floor_ms=row.floor_ms * rate / rates[row.precision]) for row, rate in measured]
        report = {"device": device, "threads": args.threads, "macs_per_s": rates, "ratios_of": RATIOS_OF[args.device]}
        print(json.dumps(report | {"rows": list(map(asdict, rows)), "left_out": list(map(asdict, left_out))}))
    return 0


def _gpu() -> str:
    """The GPU's name. Raises BackendError where torch sees none."""
    import torch

    if not torch.cuda.is_available():
        raise BackendError("--device cuda needs a GPU, and a torch built for CUDA: this one sees no GPU")
    return torch.cuda.get_device_name()


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
        floor_ms = 1e3 * alone(floor.macs, manifest, tile) / rate
        made, left_out = runtimes(folder, manifest, tile, args.device, args.threads)
        if args.skip_compile:
            del made[COMPILED]
        costs, failed = measure(made, (1, manifest.in_channels, tile, tile), args.device, args.runs, args.rounds)
        for runtime, why in (left_out | failed).items():
            yield LeftOut(manifest.name, tile, runtime, why)
        times = {runtime: getattr(found, RATIOS_OF[args.device]) for runtime, found in costs.items()}
        for runtime, found in costs.items():
            yield Row(
                manifest.name,
                manifest.precision,
                tile,
                runtime,
                found,
                megapixels_per_s=tile * tile / 1e3 / found.ms_per_tile,
                times_written=_ratio(times, WRITTEN, runtime),
                times_eager=_ratio(times, EAGER, runtime),
                times_compiled=_ratio(times, COMPILED, runtime),
                floor_ms=floor_ms,
            )


def measure(
    made: Mapping[str, Make], shape: tuple[int, ...], device: str, runs: int, rounds: int
) -> tuple[dict[str, Cost], dict[str, str]]:
    """The best cost of each runtime, and why others have none: what is not installed, does not fit, or gives up."""
    costs: dict[str, Cost] = {}
    failed: dict[str, str] = {}
    for name, (make, arguments) in rounds * list(made.items()):
        if name in failed:
            continue
        try:
            if name in ENGINES and name not in costs:
                alone(load, make, arguments)
            found = alone(cost, make, arguments, shape, device, runs)
            costs[name] = found.best(costs.get(name, found))
        except Exception as error:
            if name != COMPILED and not isinstance(error, (BackendError, OutOfMemory)):
                raise
            failed[name] = f"gave up: {error}".splitlines()[0]
            costs.pop(name, None)
    return costs, failed


def _ratio(times: Mapping[str, float], reference: str, runtime: str) -> float | None:
    return times[reference] / times[runtime] if reference in times else None


def _line(row: Row) -> str:
    beside = "".join(
        f"  {ratio:.2f} x {name}"
        for name, ratio in ((WRITTEN, row.times_written), (EAGER, row.times_eager), (COMPILED, row.times_compiled))
        if ratio and row.runtime != name
    )
    on_gpu = "" if row.cost.gpu_mb is None else f", {row.cost.gpu_mb:.0f} MB of the GPU"
    return (
        f"{row.network} {row.precision} tile {row.tile:>4} {row.runtime:<16} {row.cost.ms_per_tile:8.2f} ms"
        f" ({row.cost.cpu_ms_per_tile:.2f} CPU)  {row.megapixels_per_s:6.3f} MP/s  {row.cost.peak_mb:5.0f} MB{on_gpu}"
        f"  floor {row.floor_ms:.2f} ms{beside}"
    )


def _say(args: argparse.Namespace, text: str) -> None:
    print(text, file=sys.stderr if args.json else sys.stdout, flush=True)
