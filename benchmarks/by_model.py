"""Figures of shipped networks in a file of their own: one by one, so that each may be measured again."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import data_folder
from models.registry import Card

Measure = Callable[[Card, Path], dict[str, Any]]  # of a network, with the data folder


def stored(results: Path) -> dict[str, Any]:
    """Figures by model, as measured last."""
    found: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {}
    return found


def main(description: str | None, results: Path, asked: Iterable[Card], measure: Measure) -> None:
    """Measure the networks that the command line names, or all; a model that is not named keeps its figures."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="only these models (default all)")
    arguments = data_folder.parsed(parser)
    known = {card.name: card for card in asked}
    if unknown := [name for name in arguments.models if name not in known]:
        parser.error(f"{', '.join(unknown)}: not one of {', '.join(known)}")
    for name in arguments.models or known:
        figures = measure(known[name], arguments.data)
        results.write_text(json.dumps(stored(results) | {name: figures}, indent=1) + "\n")
