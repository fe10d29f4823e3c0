"""`unseam bench gigapixel`: what a picture takes that does not fit in memory, from file to file.

A picture of so many megapixels is drawn into a TIFF by rows, and restored by `unseam restore` in a process of its own,
whose largest resident memory is told; without a network's name, by one that changes nothing: what remains then is
decoding, tiles and encoding.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import memory
from imaging.codec import Limits, streams
from imaging.picture import Metadata
from imaging.staged import stream
from imaging.stages import Stage, layout

BAND = 64  # rows drawn at once
IDENTITY = "identity"


@dataclass(frozen=True)
class Row:
    """One picture.

    Attributes:
        peak_mb: the restoring process's largest resident memory.
        output_mb: size of the result's file.
    """

    network: str
    megapixels: float
    width: int
    height: int
    seconds: float
    megapixels_per_second: float
    peak_mb: float
    output_mb: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "name", nargs="?", default=IDENTITY, help="exported network (default: one that changes nothing)"
    )
    parser.add_argument("--megapixels", type=float, default=200, help="of the picture, which is 4:3 (default 200)")
    parser.add_argument("--folder", type=Path, help="for picture and result (default: the system's temporary one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Draw, restore, tell."""
    width = round((args.megapixels * 4e6 / 3) ** 0.5)
    height = round(args.megapixels * 1e6 / width)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        source, target = Path(folder) / "picture.tif", Path(folder) / "restored.tif"
        draw(source, width, height)
        start = time.perf_counter()
        peak_mb = memory.peak_of_run([sys.executable, *_command(args.name, source, target)]) / 1e6
        seconds = time.perf_counter() - start
        megapixels, size_mb = width * height / 1e6, target.stat().st_size / 1e6
    row = Row(args.name, megapixels, width, height, seconds, megapixels / seconds, peak_mb, size_mb)
    if args.json:
        print(json.dumps(asdict(row)))
    else:
        print(
            f"{row.network}: {megapixels:.0f} megapixels ({width} x {height}) in {seconds:.0f} s, "
            f"{row.megapixels_per_second:.2f} MP/s, peak memory {peak_mb:.0f} MB, result {size_mb:.0f} MB"
        )
    return 0


def _command(name: str, source: Path, target: Path) -> list[str]:
    if name == IDENTITY:
        return ["-m", "benchmarks.gigapixel", str(source), str(target)]
    from models import registry

    given = ["restore", str(source), "-o", str(target), "--task", registry.find(name).task, "--model", name]
    return ["-c", "import sys; from service.cli import main; sys.exit(main(sys.argv[1:]))", *given]


def draw(path: Path, width: int, height: int) -> None:
    """A colour TIFF of soft waves with a little grain, the same for the same size."""
    streams.write(path, _waves(width, height), width=width, height=height, channels=3, depth=8, metadata=Metadata())


def _waves(width: int, height: int) -> Iterator[NDArray[np.float32]]:
    random = np.random.default_rng(0)
    grain = random.normal(scale=0.01, size=(BAND, width, 3)).astype(np.float32)
    across = np.sin(np.arange(width, dtype=np.float32) / 37)[None, :, None] * np.float32(0.2)
    phase = np.array([0, 1, 2], dtype=np.float32)
    for top in range(0, height, BAND):
        rows = min(BAND, height - top)
        down = np.sin(np.arange(top, top + rows, dtype=np.float32)[:, None, None] / 53 + phase) * np.float32(0.2)
        yield np.float32(0.5) + across + down + grain[:rows]


def copy(source: Path, target: Path) -> None:
    """Take a picture through everything but a network."""
    reader = streams.Reader(source, Limits(*[sys.maxsize] * 4))
    height, width = reader.header.height, reader.header.width
    course = layout(height, width, [Stage(IDENTITY, ("picture",), lattice=8, halo=16)], tile=256, lattice=8)
    rows = stream(reader.rows, {IDENTITY: lambda tiles: tiles}, course, channels=3)
    streams.write(
        target, rows, width=width, height=height, channels=3, depth=reader.header.depth, metadata=reader.metadata
    )


if __name__ == "__main__":
    copy(Path(sys.argv[1]), Path(sys.argv[2]))
