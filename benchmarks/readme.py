"""The README's tables, made from what was measured: `python -m benchmarks.readme` writes them in place.

Each stands between `<!-- name -->` and `<!-- /name -->`. Quality is the shipped cards' (`unseam eval NAME` measures it
again) beside what classical methods reach (`python -m benchmarks.baselines`), harm what `python -m benchmarks.harmless`
found, and cells `python -m benchmarks.cells`; counts are `unseam models count` beside the papers'
(benchmarks/published.toml); seams are `unseam bench tiling --json` (benchmarks/results/tiling.json), and speeds `unseam
bench engine --json` (benchmarks/results/engine.json; with `--threads 2` engine-two-cores.json).
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import by_model, cells, harmless
from benchmarks.baselines import stored
from benchmarks.engine_runtimes import COMPILED, EAGER, ON_CPU, WRITTEN
from models.count import Count, count_all
from models.registry import Card, cards
from training.recipe import Recipe

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
TILING = HERE / "results" / "tiling.json"
ENGINE = HERE / "results" / "engine.json"
TWO_CORES = HERE / "results" / "engine-two-cores.json"
WAYS = {
    "staged 256": "staged",
    "bounded": "bounded",
    "no overlap": "tiles side by side",
    "averaged overlap": "32 averaged",
}


def quality(shipped: Iterable[Card], classical: Mapping[str, Any]) -> str:
    """A row per model and validation set: PSNR and SSIM of input, classical methods and restored picture.

    On Y or RGB, as the recipe's validation set says; beside a set how many of its pictures were measured.
    """
    rows = []
    for card in shipped:
        sets = {chosen.name: chosen for chosen in Recipe.named(card.recipe).validation}
        for name, both in card.figures.items():
            space = "y" if sets[name].luma else "rgb"
            methods = classical.get(card.recipe, {}).get(name, {})
            rows.append(
                (
                    card.task,
                    f"`{card.name}`",
                    name,
                    str(both["restored"]["pictures"]),
                    space.upper(),
                    _shown(both.get("input"), space),
                    ", ".join(f"{method} {_shown(figures, space)}" for method, figures in methods.items()),
                    _shown(both["restored"], space),
                )
            )
    head = ("task", "model", "set", "pictures", "on", "input", "classical", "restored")
    return _table(head, rows)


def _shown(figures: Mapping[str, Any] | None, space: str) -> str:
    return f"{figures[f'psnr_{space}_db']:.2f} / {figures[f'ssim_{space}']:.4f}" if figures else ""


def harm(shipped: Iterable[Card], measured: Mapping[str, Any]) -> str:
    """A row per network whose answer is as large as its input: what is left of clean pictures, the worst one too.

    Raises KeyError for a network that was not measured, ValueError for one of which another version was.
    """
    rows = []
    for card in harmless.asked(shipped):
        row = _current(card, measured)
        least = f"{row['least_psnr_db']:.2f} dB ({row['least_of']})"
        shift = f"{row['shift']:.2f} ({row['shift_of']})"
        harmed = f"{row['harmed']} of {row['pictures']}"
        rows.append((card.task, f"`{card.name}`", f"{row['mean_psnr_db']:.2f} dB", least, shift, harmed))
    return _table(("task", "model", "mean", "worst picture", "largest shift", "harmed"), rows)


def borders(shipped: Iterable[Card], measured: Mapping[str, Any]) -> str:
    """A row per network with wide cells: on the set that shows them most, the steps at their borders and elsewhere.

    Raises as `harm`.
    """
    rows = []
    for card in cells.asked(shipped):
        row = _current(card, measured)
        name, worst = max(row["sets"].items(), key=lambda each: each[1]["borders"] - each[1]["elsewhere"])
        found = (f"{worst[place]:.2f} LSB" for place in ("borders", "elsewhere"))
        rows.append((card.task, f"`{card.name}`", f"{row['pitch']} pixels", name, *found))
    return _table(("task", "model", "borders every", "set", "at borders", "elsewhere"), rows)


def _current(card: Card, measured: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was measured of a network. Raises ValueError if that was another version than is shipped."""
    row: Mapping[str, Any] = measured[card.name]
    if row["version"] != card.version:
        raise ValueError(f"{card.name}: version {row['version']} was measured, {card.version} is shipped")
    return row


def counts(measured: Mapping[str, Count]) -> str:
    """A row per published configuration: the paper's parameters and MACs, and ours."""
    published = tomllib.loads((HERE / "published.toml").read_text())["counts"]
    rows = [
        (
            f"`{name}`",
            f"{paper['params_m']:.4g} M",
            f"{measured[name].params / 1e6:.4f} M",
            f"{paper['gmacs']:.2f} G" if "gmacs" in paper else "",
            f"{measured[name].macs / 1e9:.2f} G",
            "x".join(map(str, measured[name].input)),
        )
        for name, paper in published.items()
    ]
    return _table(("network/config", "paper", "ours", "paper, MACs", "ours, MACs", "at"), rows)


def seams(measured: Mapping[str, Any]) -> str:
    """A row per model: the largest difference from the untiled picture in LSB, and the share of equal 8-bit values."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in measured["rows"]:
        found.setdefault(row["model"], {})[row["way"]] = row
    rows = [(f"`{model}`", *(_difference(ways[way]) for way in WAYS)) for model, ways in found.items()]
    return _table(("model", *WAYS.values()), rows)


def speeds(measured: Mapping[str, Any]) -> str:
    """A row per network, on its smallest tile: torch's times, the quickest CPU runtime's and the floor.

    Where a bfloat16 artifact was measured as well, its time, and how many times torch's as written in the same run.
    """
    rows = []
    for network, smallest in _smallest(measured).items():
        cost = {row["runtime"]: row["cost"]["cpu_ms_per_tile"] for row in smallest if row["precision"] == "fp32"}
        narrow = [row for row in smallest if row["precision"] == "bf16" and row["runtime"] in ON_CPU]
        floor_ms = next(row["floor_ms"] for row in smallest if row["precision"] == "fp32")
        runtime = min(ON_CPU & cost.keys(), key=lambda name: cost[name])
        rows.append(
            (
                f"`{network}`",
                str(smallest[0]["tile"]),
                f"{cost[WRITTEN]:.0f} ms",
                f"{cost[EAGER]:.0f} ms",
                f"{cost[COMPILED]:.0f} ms" if COMPILED in cost else "",
                f"{cost[runtime]:.0f} ms ({runtime})",
                f"{cost[WRITTEN] / cost[runtime]:.2f}",
                f"{cost[EAGER] / cost[runtime]:.2f}",
                f"{cost[COMPILED] / cost[runtime]:.2f}" if COMPILED in cost else "",
                f"{floor_ms:.0f} ms, {100 * floor_ms / cost[runtime]:.0f} %",
                "".join(f"{row['cost']['cpu_ms_per_tile']:.0f} ms, {row['times_written']:.2f}" for row in narrow),
            )
        )
    head = (
        "network",
        "tile",
        "torch, as written",
        "torch",
        "compiled",
        "here",
        "times as written",
        "times torch",
        "times compiled",
        "floor, its share",
        "in bfloat16",
    )
    return _table(head, rows)


def together(measured: Mapping[str, Any]) -> str:
    """A row per network, on its smallest tile: milliseconds by the clock of torch and of the quickest CPU runtime.

    For runs on several threads, where CPU time does not tell what a client waits for.
    """
    rows = []
    for network, smallest in _smallest(measured).items():
        wall = {row["runtime"]: row["cost"]["ms_per_tile"] for row in smallest if row["precision"] == "fp32"}
        runtime = min(ON_CPU & wall.keys(), key=lambda name: wall[name])
        shown = (f"{wall[WRITTEN]:.0f} ms", f"{wall[EAGER]:.0f} ms", f"{wall[runtime]:.0f} ms ({runtime})")
        times = (f"{wall[name] / wall[runtime]:.2f}" for name in (WRITTEN, EAGER))
        rows.append((f"`{network}`", str(smallest[0]["tile"]), *shown, *times))
    head = ("network", "tile", "torch, as written", "torch", "here", "times as written", "times torch")
    return _table(head, rows)


def _smallest(measured: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of each network's smallest tile."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in measured["rows"]:
        found.setdefault(row["network"], []).append(row)
    least = {network: min(row["tile"] for row in rows) for network, rows in found.items()}
    return {network: [row for row in rows if row["tile"] == least[network]] for network, rows in found.items()}


def _difference(row: Mapping[str, Any]) -> str:
    return f"{row['max_lsb']:.3g} LSB, {100 * row['equal_8bit']:.3f} %"


def filled(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """The text with every named table made anew. Raises ValueError for a table that has no place in it."""
    for name, make in tables.items():
        opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if opening not in text or closing not in text:
            raise ValueError(f"the text has no place for the table {name!r}")
        before, rest = text.split(opening, 1)
        text = before + opening + make() + closing + rest.split(closing, 1)[1]
    return text


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    made = {
        "quality": lambda: quality(cards(), stored()),
        "harm": lambda: harm(cards(), by_model.stored(harmless.RESULTS)),
        "cells": lambda: borders(cards(), by_model.stored(cells.RESULTS)),
        "counts": lambda: counts(count_all()),
        "seams": lambda: seams(json.loads(TILING.read_text())),
        "speeds": lambda: speeds(json.loads(ENGINE.read_text())),
        "together": lambda: together(json.loads(TWO_CORES.read_text())),
    }
    README.write_text(filled(README.read_text(), made))
