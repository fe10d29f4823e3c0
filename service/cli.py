"""The command `unseam`: finds the module of a subcommand by name, so that each imports only what it needs.

A subcommand's module has `add_arguments(parser)` and `run(args) -> int`. Exit codes: 0 done, 1 failed, 2 a mistake of
the user's (one line says which), 130 interrupted.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import requires, version
from typing import Final, NoReturn

COMMANDS: Final = {
    "serve": ("service.commands.serve", "answer HTTP requests"),
    "worker": ("service.commands.worker", "do the jobs of a Redis queue"),
    "janitor": ("service.commands.janitor", "bring back lost jobs and delete expired results"),
    "restore": ("service.commands.restore", "restore a picture"),
    "export": ("export.command", "make artifacts of trained networks"),
    "models": ("models.command", "list, show, count and check networks"),
    "train": ("training.command_train", "train a network"),
    "ship": ("training.command_ship", "put a run's weights among the shipped ones, if they are better"),
    "eval": ("training.command_eval", "measure a network on pairs of pictures"),
    "bench": ("benchmarks.command", "measure speed"),
}
# Commands that need all of an extra, whichever of its packages they miss first.
EXTRAS: Final = {"train": "train", "ship": "train", "eval": "train"}
# Their errors have words for people.
OURS: Final = {"imaging", "models", "export", "service", "training", "benchmarks", "unseam"}
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
NOBODY_READS: Final = 141  # 128 + SIGPIPE


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end with 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class UnavailableError(ValueError):
    """A subcommand that this installation cannot run."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("unseam: interrupted", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BrokenPipeError:  # what reads our answers has read enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more on its way out
        return NOBODY_READS
    except OSError as error:
        return _complain(arguments, error, 1)
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in OURS:
            raise  # nobody meant this to happen: the traceback says more
        return _complain(arguments, error, 2 if isinstance(error, ValueError) else 1)


def _run(arguments: Sequence[str]) -> int:
    name = _top_parser().parse_args(arguments[:1]).command
    try:
        module = import_module(COMMANDS[name][0])
        parser = Parser(prog=f"unseam {name}", description=module.__doc__)
        module.add_arguments(parser)
        args = parser.parse_args(arguments[1:])
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        code: int = module.run(args)
    except ModuleNotFoundError as error:
        raise UnavailableError(_lacking(name, error)) from error
    return code


def _lacking(command: str, error: ModuleNotFoundError) -> str:
    """In words: what a command lacks here, and how to install it."""
    package = (error.name or "").partition(".")[0]
    if package in OURS:
        return f"{command} is not part of this installation"
    lacking = f"{command} needs the package {package or error}, which is not installed"
    extra = EXTRAS.get(command) or _extra_of(package)
    return f"{lacking}: pip install 'unseam[{extra}]'" if extra else lacking


def _extra_of(package: str) -> str | None:
    """The extra that brings a package, if one does; `package` is what is imported."""
    for requirement in requires("unseam") or []:
        name, _, extra = requirement.partition("extra == ")
        if extra and re.split(r"[^\w.-]", name)[0].replace("-", "_") == package:
            return extra.strip("\"' )")
    return None


def _top_parser() -> Parser:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items())
    parser = Parser(
        prog="unseam",
        usage="unseam COMMAND [ARGUMENT ...]",
        description="Image restoration as a service that leaves no seams.",
        epilog=f"commands:\n{listing}\n\nunseam COMMAND --help says more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"unseam {version('unseam')}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    return parser


def _complain(arguments: Sequence[str], error: Exception, code: int) -> int:
    print(f"unseam {arguments[0]}: {error}", file=sys.stderr)  # noqa: T201
    return code
