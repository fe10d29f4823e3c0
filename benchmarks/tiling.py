"""`unseam bench tiling`: how far tiled pictures are from untiled ones, beside the usual ways of tiling.

Exported networks, run as the service runs them. The measure is the untiled picture by the same runtime; the untiled
picture's own measure is torch's, which tells what the export costs. A picture has sides that are no multiples of
anything: a photograph from $UNSEAM_DATA, else a drawn one. Every way has a process of its own, so that its memory is
its own. `--heat` draws |tiled - untiled| of three ways, with the cuts.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks import memory
from export import storage
from imaging import quality
from imaging.stages import Layout
from imaging.tiling import Plan
from service.catalogue import Artifact
from service.engine import Engine, Options
from service.planning import Course, chart, cut

Array = NDArray[np.float32]

OVERLAP: Final = 32  # of the averaged tiles, as tools have it by default
NEAR: Final = 16  # pixels to either side of a cut that count as near it
HEAT_LSB: Final = 1.0  # differences from here on are drawn white
WAYS: Final = ("whole", "staged", "staged 256", "bounded", "no overlap", "averaged overlap")


@dataclass(frozen=True)
class Row:
    """One way to tile one picture with one network; 1 LSB is 1/255.

    Attributes:
        near_over_elsewhere: mean difference within 16 pixels of a cut over that everywhere else; None without either.
        jump: gradient across the cuts over the untiled picture's there; 1 is no trace.
        work: computed over what an untiled run computes; of segments, weighed by their multiply-accumulates.
        cpu_seconds: of the process, over all its threads; another program's load does not touch it.
        peak_mb: the process's largest resident memory, the runtime and the network included.
    """

    model: str
    way: str
    tile: int
    halo: int
    max_lsb: float
    p999_lsb: float
    equal_8bit: float
    near_over_elsewhere: float | None
    jump: float
    work: float
    seconds: float
    cpu_seconds: float
    megapixels_per_second: float
    peak_mb: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="exported networks (default: all shipped)")
    parser.add_argument("--artifacts", type=Path, help="their folder (default $UNSEAM_ARTIFACTS, or ./artifacts)")
    parser.add_argument("--side", type=int, default=857, help="longer side of the picture (default 857)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument("--drawn", action="store_true", help="take the drawn picture even where there are photographs")
    parser.add_argument("--heat", type=Path, metavar="FILE.png", help="draw the differences of the last network")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Measure every network in every way."""
    from models import registry

    root = args.artifacts or storage.default_root()
    rows: list[Row] = []
    for name in args.names or [card.name for card in registry.cards()]:
        heat: dict[str, Array] = {}
        for row, difference in compare(root / name, args.side, args.threads, drawn=args.drawn):
            rows.append(row)
            heat[row.way] = difference
            print(_words(row), file=sys.stderr if args.json else sys.stdout, flush=True)
        if args.heat:
            draw({way: heat[way] for way in ("staged 256", "no overlap", "averaged overlap")}, args.heat)
    if args.json:
        print(json.dumps({"threads": args.threads, "rows": [asdict(row) for row in rows]}))
    return 0


def compare(folder: Path, side: int, threads: int, *, drawn: bool = False) -> Iterator[tuple[Row, Array]]:
    """Each way's figures, and its |tiled - untiled| (H, W) in LSB with the cuts drawn in as NaN."""
    artifact = Artifact.read(folder)
    picture = _picture(side, artifact.manifest.in_channels, drawn=drawn)
    measure = _alone(_untiled, artifact.manifest.name, picture)
    for way in WAYS:
        restored, seconds, cpu_seconds, peak_mb = _alone(_restored, artifact, way, picture, threads)
        course = _course(artifact, way, *picture.shape[:2])
        plan = _shown(course)
        scale = artifact.manifest.scale
        cuts = [
            [cut * scale for cut in axis.cuts if cut * scale < length]  # what continues the picture is cut too
            for axis, length in zip((plan.rows, plan.columns), restored.shape[:2], strict=True)
        ]
        figures = quality.seams(restored, measure, *cuts)
        difference = np.abs(restored - measure).max(axis=2) * 255
        yield (
            Row(
                model=artifact.manifest.name,
                way=way,
                tile=course.tile,
                halo=OVERLAP // 2 if way == "averaged overlap" else course.halo,
                max_lsb=figures.max_lsb,
                p999_lsb=figures.p999_lsb,
                equal_8bit=figures.equal,
                near_over_elsewhere=near_over_elsewhere(difference, *cuts),
                jump=figures.jump,
                work=course.work,
                seconds=seconds,
                cpu_seconds=cpu_seconds,
                megapixels_per_second=picture.shape[0] * picture.shape[1] / 1e6 / seconds,
                peak_mb=peak_mb,
            ),
            _with_cuts(difference, *cuts),
        )
        if way == "whole":
            measure = restored


def _picture(side: int, channels: int, *, drawn: bool) -> Array:
    from benchmarks.scene import draw as scene
    from export import pictures

    found = [] if drawn else pictures.photographs(1, side, channels)
    if found:
        return np.ascontiguousarray(found[0][: side - side // 4])
    picture = scene(side - side // 4, side).astype(np.float32)
    picture += np.random.default_rng(0).normal(scale=0.04, size=picture.shape).astype(np.float32)
    return np.ascontiguousarray((picture if channels == 3 else picture.mean(2, keepdims=True)).clip(0, 1))


def _alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's answer from a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def _untiled(name: str, picture: Array) -> Array:
    from export.seams import whole
    from models import build, registry

    return whole(build.load(registry.find(name)), picture)


def _course(artifact: Artifact, way: str, height: int, width: int) -> Course:
    manifest = artifact.manifest
    match way:
        case "whole":
            return chart(artifact, height, width, tile=0)
        case "staged":
            return chart(artifact, height, width, tile=512)
        case "staged 256":
            return chart(artifact, height, width, tile=256)
        case "bounded":
            return cut(manifest, height, width)
        case "no overlap":
            return cut(manifest, height, width, tile=manifest.tiles[0], halo=0)
    stride = manifest.tiles[0] - OVERLAP  # on no lattice: the usual tools know of none
    return cut(manifest.model_copy(update={"lattice": 1}), height, width, tile=stride + OVERLAP, halo=OVERLAP // 2)


def _restored(artifact: Artifact, way: str, picture: Array, threads: int) -> tuple[Array, float, float, float]:
    """The picture, seconds by the clock and of processor time, and megabytes; the second of two runs is timed."""
    engine = Engine(artifact, Options(backend="onnx", threads=threads, tried=False))
    course = _course(artifact, way, *picture.shape[:2])

    def restore() -> Array:
        if way == "averaged overlap":
            assert isinstance(course, Plan)
            return averaged(picture, lambda position: engine.restore_tiles(picture, course, [position])[0], course)
        return engine.restore(picture, course)

    restore()
    start, cpu = time.perf_counter(), time.process_time()
    restored = restore()
    spent = time.perf_counter() - start, time.process_time() - cpu
    return restored, *spent, memory.peak() / 2**20


def averaged(picture: Array, answer: Callable[[tuple[int, int]], Array], plan: Plan) -> Array:
    """The usual way: whole tiles added up, divided by how many lie on each pixel; `answer` restores one by place."""
    scale, (tall, wide) = plan.scale, plan.tile_shape
    shape = max(plan.rows.origins) + tall, max(plan.columns.origins) + wide
    total: Array | None = None
    count = np.zeros((shape[0] * scale, shape[1] * scale, 1), dtype=np.float32)
    for row, column in plan:
        restored = answer((row, column)).transpose(1, 2, 0)
        y, x = plan.rows.origins[row] * scale, plan.columns.origins[column] * scale
        place = np.s_[y : y + tall * scale, x : x + wide * scale]
        if total is None:
            total = np.zeros((*count.shape[:2], restored.shape[2]), dtype=np.float32)
        total[place] += restored
        count[place] += 1
    assert total is not None  # a plan has at least one tile
    mean: Array = (total / count)[: plan.height * scale, : plan.width * scale]
    return mean


def _shown(course: Course) -> Plan:
    """The cuts that are looked at: of segments, those of the one with the widest halo."""
    return max(course.cuts, key=lambda plan: (len(plan), plan.halo)) if isinstance(course, Layout) else course


def near_over_elsewhere(difference: Array, rows: list[int], columns: list[int]) -> float | None:
    """Mean difference near the cuts over the mean elsewhere."""
    near = np.zeros(difference.shape, dtype=bool)
    for place in rows:
        near[max(place - NEAR, 0) : place + NEAR] = True
    for place in columns:
        near[:, max(place - NEAR, 0) : place + NEAR] = True
    elsewhere = float(difference[~near].mean()) if not near.all() else 0.0
    return float(difference[near].mean()) / elsewhere if near.any() and elsewhere else None


def _with_cuts(difference: Array, rows: list[int], columns: list[int]) -> Array:
    marked = difference.copy()
    marked[rows] = marked[:, columns] = np.nan
    return marked


def draw(differences: dict[str, Array], path: Path) -> None:
    """|tiled - untiled| of each way side by side, black 0 to white 1 LSB, cuts in blue, its largest below it."""
    from PIL import Image, ImageDraw

    panels = []
    for way, difference in differences.items():
        heat = (np.nan_to_num(difference) / HEAT_LSB).clip(0, 1)[..., None] * np.array([255, 225, 170], np.float32)
        heat[np.isnan(difference)] = (40, 80, 160)
        image = Image.fromarray(heat.astype(np.uint8)).resize((400, round(400 * heat.shape[0] / heat.shape[1])))
        panel = Image.new("RGB", (400, image.height + 22), "white")
        panel.paste(image)
        words = f"{way}: at most {np.nanmax(difference):.3g} LSB off"
        ImageDraw.Draw(panel).text((2, image.height + 5), words, fill="black")
        panels.append(np.pad(np.asarray(panel), ((0, 0), (0, 8), (0, 0)), constant_values=255))
    Image.fromarray(np.concatenate(panels, axis=1)[:, :-8]).save(path, optimize=True)


def _words(row: Row) -> str:
    near = "     -" if row.near_over_elsewhere is None else f"{row.near_over_elsewhere:6.2f}"
    return (
        f"{row.model} {row.way:<16} tile {row.tile:>4} halo {row.halo:>3}: max {row.max_lsb:8.4f} LSB, "
        f"99.9 % below {row.p999_lsb:8.4f}, equal {100 * row.equal_8bit:7.3f} %, near cuts {near} x, "
        f"work {row.work:.2f}, {row.cpu_seconds:.2f} CPU s, {row.megapixels_per_second:.3f} MP/s, {row.peak_mb:.0f} MB"
    )
