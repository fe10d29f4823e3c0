"""Megapixels a second of one worker, task by task: `python -m benchmarks.capacity_tasks`.

A CPU core's are measured. A GPU's follow from the multiply-adds it sustains, which differ with card, runtime and
precision: `--teramacs` states them.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.capacity import RATES, UNIT_PIXELS, Network

TERAMACS: Final = (1.0, 10.0, 50.0)


def table(rates: Mapping[str, Any], teramacs: Sequence[float]) -> Iterator[str]:
    """One line for each network that capacity.toml knows, as a Markdown table."""
    size = rates["picture"]["megapixels"]
    heads = [f"{rate:g} TMAC/s" for rate in teramacs]
    yield f"| task | network | work | in one pass | CPU core | {' | '.join(heads)} |"
    yield "|---|---" + "|---:" * (3 + len(teramacs)) + "|"
    for name, entry in sorted(rates["networks"].items(), key=lambda item: (item[1]["task"], item[1]["scale"])):
        task = entry["task"] if entry["scale"] == 1 else f"{entry['task']} x{entry['scale']}"
        work, halos = (_area(Network.known(entry, one_pass=one_pass), size) for one_pass in (False, True))
        on_gpus = [1e3 * rate / entry["gigamacs_per_unit"] for rate in teramacs]
        figures = [
            _figure(size * units / Network.known(entry).units(size))
            for units in (entry["units_per_core_second"], *on_gpus)
        ]
        yield f"| {task} | {name} | {work:.2f} | {halos:.2f} | {' | '.join(figures)} |"


def _area(network: Network, megapixels: float) -> float:
    """What is computed over the picture's own area."""
    return network.units(megapixels) * UNIT_PIXELS / (megapixels * 1e6)


def _figure(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity_tasks", description=__doc__)
    parser.add_argument("--teramacs", type=float, nargs="+", default=TERAMACS, help="sustained, 10^12 a second")
    parser.add_argument("--rates", type=Path, default=RATES, help="measured costs (default capacity.toml)")
    args = parser.parse_args(arguments)
    print("\n".join(table(tomllib.loads(args.rates.read_text()), args.teramacs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
