"""Draw the README's figures from committed measurements: `python -m benchmarks.figures` (or `make figures`).

Training: benchmarks/results/training/NAME.json, where shipping enters a weight's run (training/history.py); runs that
are not shipped are never drawn.
Quality against speed: the shipped cards, and benchmarks/results/engine.json, which is `unseam bench engine --json`.
Latency: benchmarks/results/http.json, which is `unseam bench http --json`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.engine_runtimes import ON_CPU
from benchmarks.latency import Level
from models.registry import Card, cards
from training.history import HISTORIES, History

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
FIGURES: Final = ROOT / "docs" / "figures"
INK, SOFT, ACCENT = "#1c1c1b", "#a2a2a0", "#b3480b"
COLOURS: Final = ("#b3480b", "#2b6a99", "#4c8a4f", "#7d5ba6", "#9a7b1c")
UNTOUCHED: Final = "clean"  # sets that ask for an unharmed picture back: their dB say nothing of restoring

# Of the curves: the README's table has the means over whole sets.
SHOWN: Final = "mean PSNR of the first six pictures of each set, 50 dB at most for each, as measured during training"


def training(histories: Mapping[str, History]) -> Figure:
    """A panel for each weight: PSNR of its validation sets over the hours of training."""
    columns = min(len(histories), 4)
    rows = math.ceil(len(histories) / columns)
    figure = Figure(figsize=(3.3 * columns, 2.5 * rows), layout="constrained")
    for panel, (name, history) in zip(np.ravel(figure.subplots(rows, columns)), histories.items(), strict=False):
        last = history[-1]
        sets = [key for key in last if isinstance(last[key], float) and key not in ("elapsed_s", "loss", UNTOUCHED)]
        for colour, chosen in zip(COLOURS, sets, strict=False):
            known = [(row["elapsed_s"] / 3600, row[chosen]) for row in history if chosen in row]
            panel.plot(*zip(*known, strict=True), marker=".", color=colour, label=f"{chosen}: {last[chosen]:.2f} dB")
        panel.set_title(name, fontsize=10, loc="left", color=INK)
        _make_room_below(panel, lines=len(sets))
        panel.legend(fontsize=7, frameon=False, loc="lower right")
        panel.set_xlim(left=0)
        panel.set_xlabel("hours of training", fontsize=8)
        _plain(panel)
    for empty in figure.axes[len(histories) :]:
        empty.remove()
    figure.axes[0].set_ylabel("PSNR, dB", fontsize=8)
    figure.supxlabel(SHOWN, fontsize=8.5, color=INK)
    return figure


def _make_room_below(panel: Any, lines: int) -> None:
    """Lengthen the vertical axis downwards, so that a legend of so many lines covers no curve."""
    low, high = panel.get_ylim()
    panel.set_ylim(high - (high - low) / (0.9 - 0.11 * lines), high)


def quality_against_speed(shipped: Iterable[Card], rows: Iterable[Mapping[str, Any]]) -> Figure:
    """For each network: megapixels per second of CPU time, and PSNR on Y of its first set as it came and restored."""
    speed: dict[str, float] = {}
    for row in rows:
        if row["runtime"] in ON_CPU and row["precision"] == "fp32":
            rate = row["tile"] ** 2 / 1e3 / row["cost"]["cpu_ms_per_tile"]
            speed[row["network"]] = max(rate, speed.get(row["network"], 0.0))
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    panel = figure.subplots()
    for card in shipped:
        measured = [(name, both) for name, both in card.figures.items() if not name.startswith(UNTOUCHED)]
        if card.name not in speed or not measured:
            continue
        name, both = measured[0]
        at, after = speed[card.name], both["restored"]["psnr_y_db"]
        if "input" in both:
            before = both["input"]["psnr_y_db"]
            panel.plot([at, at], [before, after], color=SOFT, zorder=1)
            panel.scatter(at, before, facecolors="white", edgecolors=SOFT, zorder=2)
        panel.scatter(at, after, color=ACCENT, zorder=3)
        words = f"{card.task}{f' x{card.scale}' if card.scale > 1 else ''}\n{card.network}, {name}"
        panel.annotate(words, (at, after), (7, 0), textcoords="offset points", fontsize=7.5, va="center", color=INK)
    panel.set(xscale="log", xlabel="megapixels per second of one CPU core, halos included", ylabel="PSNR on Y, dB")
    panel.scatter([], [], facecolors="white", edgecolors=SOFT, label="as it came")
    panel.scatter([], [], color=ACCENT, label="restored")
    panel.legend(frameon=False, loc="upper left")
    panel.xaxis.set_major_formatter("{x:g}")
    panel.xaxis.set_minor_formatter("{x:g}")
    panel.margins(x=0.18, y=0.08)
    _plain(panel)
    return figure


def latency(measured: Mapping[str, Any]) -> Figure:
    """A histogram for each number of clients at once, with its percentiles and pictures per second."""
    levels = [Level(**level) for level in measured["levels"]]
    figure = Figure(figsize=(9, 1.25 * len(levels) + 0.7), layout="constrained")
    panels = np.ravel(figure.subplots(len(levels), 1, sharex=True))
    slowest = max(max(level.latencies_s) for level in levels)
    for panel, level in zip(panels, levels, strict=True):
        panel.hist(level.latencies_s, bins=60, range=(0, slowest), color=ACCENT, alpha=0.75)
        for percent in (50, 95, 99):
            panel.axvline(level.percentile(percent), color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        waits = ", ".join(f"p{percent} {level.percentile(percent):.2f} s" for percent in (50, 95, 99))
        clients = f"{level.clients} client{'s'[: level.clients > 1]}"
        panel.set_title(f"{clients}: {level.per_second:.2f} pictures a second; {waits}", fontsize=9, loc="left")
        panel.set_yticks([])
        _plain(panel)
    sides = f"{measured['width']} x {measured['height']}"
    panels[-1].set_xlabel(f"seconds until the answer: {measured['network']}, {sides} pixels", fontsize=9)
    return figure


def kept_history(card: Card, histories: Path = HISTORIES) -> History | None:
    """The history that is kept of a shipped weight, or None."""
    path = histories / f"{card.name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _plain(panel: Any) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(alpha=0.25)
    panel.tick_params(labelsize=8)


def _saved(figure: Figure, name: str) -> None:
    FigureCanvasAgg(figure)
    path = FIGURES / name
    figure.savefig(path, dpi=110, facecolor="white", metadata={"Software": None})
    print(path)


def main() -> None:
    """Draw every figure whose measurements are there."""
    argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__).parse_args()
    FIGURES.mkdir(exist_ok=True)
    histories = {card.name: kept_history(card) for card in cards()}
    if known := {name: history for name, history in histories.items() if history}:
        _saved(training(known), "training.png")
    if missing := sorted(name for name, history in histories.items() if not history):
        print(f"no history of {', '.join(missing)}")
    engine, http = RESULTS / "engine.json", RESULTS / "http.json"
    if engine.is_file():
        _saved(quality_against_speed(cards(), json.loads(engine.read_text())["rows"]), "quality-speed.png")
    if http.is_file():
        _saved(latency(json.loads(http.read_text())), "latency.png")


if __name__ == "__main__":
    main()
