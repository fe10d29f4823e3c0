"""List the shipped models, show one, count the networks, and check them against their authors' outputs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.registry import cards, find

if TYPE_CHECKING:  # it takes torch along, which listing does without
    from models.check import Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `unseam models list | show | count | check`."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs.add_parser("list", help="every shipped model").set_defaults(do=_list)
    show = verbs.add_parser("show", help="all that is known of one model")
    show.add_argument("name", metavar="NAME")
    show.set_defaults(do=_show)
    verbs.add_parser("count", help="parameters and MACs of every configuration").set_defaults(do=_count)
    check = verbs.add_parser("check", help="compare networks with their authors' outputs")
    check.add_argument("goldens", metavar="GOLDEN.json", nargs="+", type=Path)
    check.set_defaults(do=_check)
    for verb in verbs.choices.values():
        verb.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Do what was asked; returns the exit code."""
    code: int = args.do(args)
    return code


def _list(args: argparse.Namespace) -> int:
    if args.json:
        _print_json({card.name: asdict(card) for card in cards()})
    else:
        rows = [
            (card.name, card.task, f"x{card.scale}", f"{card.network}/{card.config}", "default" if card.default else "")
            for card in cards()
        ]
        _print_table(("model", "task", "scale", "network", ""), rows)
    return 0


def _show(args: argparse.Namespace) -> int:
    card = asdict(find(args.name))
    if args.json:
        _print_json(card)
    else:
        _print_table(("", ""), [(key, json.dumps(value)) for key, value in card.items()])
    return 0


def _count(args: argparse.Namespace) -> int:
    from models.count import count_all

    counts = count_all()
    if args.json:
        _print_json({name: asdict(count) for name, count in counts.items()})
    else:
        rows = [
            (name, f"{count.params:,}", f"{count.macs / 1e9:.2f} G", "x".join(map(str, count.input)))
            for name, count in counts.items()
        ]
        _print_table(("network/config", "params", "MACs", "input"), rows)
    return 0


def _check(args: argparse.Namespace) -> int:
    from models.check import check

    results = check(args.goldens)
    passed = all(result.passed for result in results)
    if args.json:
        _print_json({"passed": passed, "cases": [_case(result) for result in results]})
    else:
        rows = [
            (
                f"{result.golden} [{result.case}]",
                "x".join(map(str, result.input)),
                f"{result.max_abs_error:.1e}",
                f"{result.tolerance:.1e}",
                "ok" if result.passed else "DIFFERS",
            )
            for result in results
        ]
        _print_table(("case", "input", "max abs error", "allowed", ""), rows)
    return 0 if passed else 1


def _case(result: Result) -> dict[str, Any]:
    error = result.max_abs_error if isfinite(result.max_abs_error) else None  # JSON has no infinity
    return asdict(result) | {"max_abs_error": error, "passed": result.passed}


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))  # noqa: T201


def _print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    table = [header, *rows] if any(header) else list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())  # noqa: T201
