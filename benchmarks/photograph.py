"""`unseam bench photograph`: one large photograph through a real server: seconds, and the server's peak memory.

The server is `unseam serve`, started for the purpose; its memory is what Linux counts as the peak of its resident set,
the processes that it starts included.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path
from typing import Final

import httpx
import numpy as np
from PIL import Image

from benchmarks import memory
from benchmarks.scene import draw
from benchmarks.served import BenchError, started

SIDES: Final = (4000, 3000)
QUALITY: Final = 92
CELL: Final = 1000  # the scene is drawn at this height and enlarged, with grain of its own at full size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--task", default="derain", help="what is asked for (default derain)")
    parser.add_argument("--picture", type=Path, help="the file that is sent (default: a drawn JPEG of 4000 x 3000)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def run(args: argparse.Namespace) -> int:
    """Restore it once; say how long it took and what the server needed."""
    content = args.picture.read_bytes() if args.picture else photograph()
    with started() as (url, pid):
        idle = memory.peak_of_tree(pid)
        start = time.perf_counter()
        answer = httpx.post(
            f"{url}/restore", params={"task": args.task}, content=content, headers={"Prefer": "wait=3600"}, timeout=None
        )
        seconds = time.perf_counter() - start
        peak = memory.peak_of_tree(pid)
    if answer.status_code != 200:
        raise BenchError(f"the server answered {answer.status_code}: {answer.text[:300]}")
    with Image.open(io.BytesIO(content)) as sent, Image.open(io.BytesIO(answer.content)) as returned:
        megapixels = sent.width * sent.height / 1e6
        found = {
            "task": args.task,
            "network": answer.headers["X-Model"].partition(";")[0],
            "sent": list(sent.size),
            "returned": list(returned.size),
            "seconds": round(seconds, 2),
            "seconds_per_megapixel": round(seconds / megapixels, 3),
            "idle_mb": round(idle / 1e6),
            "peak_mb": round(peak / 1e6),
        }
    if args.json:
        print(json.dumps(found))
    else:
        print(f"{found['network']}: {megapixels:.1f} megapixels in {found['seconds']} s", end=", ")
        print(f"{found['seconds_per_megapixel']} s each", end="; ")
        print(f"the server took {found['idle_mb']} MB at rest, {found['peak_mb']} MB at its peak")
    return 0


def photograph() -> bytes:
    """A JPEG as a 12-megapixel camera writes them: the drawn scene, enlarged, with a sensor's grain."""
    width, height = SIDES
    small = Image.fromarray((draw(CELL, CELL * width // height) * 255).round().astype(np.uint8))
    large = np.asarray(small.resize(SIDES, Image.Resampling.BICUBIC), np.float32)
    grain = np.random.default_rng(12).standard_normal((height, width, 1), dtype=np.float32)
    buffer = io.BytesIO()
    Image.fromarray((large + 3 * grain).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
