"""`unseam bench`: measure speed, one subcommand for each thing that is measured."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Final

# By name: measuring one thing loads no other's packages.
SUBJECTS: Final = {
    "engine": ("benchmarks.engine", "every network, tile and runtime, beside torch"),
    "http": ("benchmarks.latency", "how long clients of a server wait, and how many pictures a second they get"),
    "photograph": ("benchmarks.photograph", "one large photograph through a server: seconds and peak memory"),
    "gigapixel": ("benchmarks.gigapixel", "time and memory for a picture that does not fit in memory"),
    "workers": ("benchmarks.workers", "how much sooner two workers finish a large picture than one"),
    "tiling": ("benchmarks.tiling", "how far tiled pictures are from untiled ones"),
    "training": ("benchmarks.training", "how many crops a second every recipe learns from"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare a subcommand for each subject."""
    subjects = parser.add_subparsers(dest="subject", required=True, metavar="SUBJECT")
    for name, (module, about) in SUBJECTS.items():
        import_module(module).add_arguments(subjects.add_parser(name, help=about))


def run(args: argparse.Namespace) -> int:
    """Measure the chosen subject."""
    code: int = import_module(SUBJECTS[args.subject][0]).run(args)
    return code
