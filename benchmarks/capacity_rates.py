"""Measure costs that capacity.toml states, on a core of this machine: `python -m benchmarks.capacity_rates PHOTO`."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from imaging import codec

RUNS = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Print lines for capacity.toml."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity_rates", description=__doc__)
    parser.add_argument("photo", type=Path, help="a large photograph of the kind that clients send")
    data = parser.parse_args(arguments).photo.read_bytes()
    limits = codec.Limits()
    picture = codec.decode(data, limits)
    megapixels = picture.pixels.shape[0] * picture.pixels.shape[1] / 1e6
    encoded = codec.encode(picture)
    print(f"# {megapixels:.1f} megapixels, {len(data)} bytes up, {len(encoded)} bytes down")
    print(f"decode_seconds_per_megapixel = {_seconds(lambda: codec.decode(data, limits)) / megapixels:.4f}")
    print(f"encode_seconds_per_megapixel = {_seconds(lambda: codec.encode(picture)) / megapixels:.4f}")
    print(f"hash_seconds_per_megabyte = {_seconds(lambda: hashlib.sha256(data).digest()) / (len(data) / 1e6):.5f}")
    return 0


def _seconds(do: Callable[[], object]) -> float:
    """The processor's, not the clock's: others may be at work."""
    taken = []
    for _ in range(RUNS):
        start = time.process_time()
        do()
        taken.append(time.process_time() - start)
    return median(taken)


if __name__ == "__main__":
    sys.exit(main())
