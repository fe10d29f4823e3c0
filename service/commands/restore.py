"""Restore pictures: files, folders or patterns, on this machine or through a server."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, get_args

from export.manifest import Backend
from imaging.codec import Format
from imaging.codec.encoding import Keep
from service import settings
from service.batch.progress import Bars
from service.batch.run import Run
from service.batch.selection import FORMATS, InvalidArgument, select
from service.batch.summary import Summary

KEY: Final = "UNSEAM_API_KEY"
PATIENCE_S: Final = 3600.0  # long enough for a server to be mended while a folder waits
AT_ONCE: Final = 4  # while one is worked on, others are on their way to the server and back
LOCAL: Final = ("backend", "device", "tile", "halo")  # options that a server has no ear for
REMOTE: Final = ("patience", "at_once")  # options that say nothing without one


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("input", metavar="IN", nargs="+", help="a picture, a folder of pictures, or a pattern such as 'scans/**/*.tif'")
    add("-o", "--output", metavar="OUT", required=True, help="where the result goes; a folder for several pictures")
    add("--task", required=True, help="what to do: derain, denoise, ...")
    add("--model", help="the network (default: the task's)")
    add("--scale", type=int, help="for upscale: 2, 3 or 4")
    add("--pattern", help="for demosaic: rggb, bggr, grbg or gbrg")
    add("--frame", type=int, help="which page of a TIFF or frame of an animation, counted from 0")
    add("--format", type=_format, choices=tuple(Format), help="kind of file of the results (default: as the pictures)")
    add("--quality", type=_quality, metavar="1..100", help="of JPEG, WebP and AVIF (default: 95)")
    add("--keep", choices=get_args(Keep), default="all", help="metadata to keep (default: all)")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--resume", action="store_true", help="skip pictures whose result is there already")
    either.add_argument("--force", action="store_true", help="write results that are there already again")
    add("--json", action="store_true", help="print one JSON object on standard output")
    server = parser.add_argument_group("through a server")
    server.add_argument("--url", help=f"of the server (http://host:8000); its API key, if any, is read from {KEY}")
    server.add_argument(
        "--patience",
        type=_seconds,
        metavar="SECONDS",
        help=f"how long a server that is full or away is waited for; 0 is not at all (default: {PATIENCE_S:.0f})",
    )
    server.add_argument(
        "--at-once",
        type=_count,
        metavar="N",
        help=f"pictures under way at once, from reading the file to its result (default: {AT_ONCE})",
    )
    here = parser.add_argument_group("on this machine")
    here.add_argument("--backend", choices=get_args(Backend), help="the runtime (default: the network's)")
    here.add_argument("--device", help="cpu, cuda or cuda:N (default: UNSEAM_DEVICE, else cpu)")
    here.add_argument("--tile", type=int, help="side of the tiles in pixels; 0 is the whole picture at once")
    here.add_argument("--halo", type=int, help="pixels read around each tile (default: the network's)")


def run(args: argparse.Namespace) -> int:
    """Restore; each result appears whole or not at all. Exit code 1 if a picture of several failed."""
    selection = select(args.input, args.output, args.format)
    items = [item for item in selection.items if args.force or not item.target.exists()]
    skipped = len(selection.items) - len(items)
    if skipped and not args.resume:
        first = next(item.target for item in selection.items if item.target.exists())
        others = f" and {skipped - 1} more" if skipped > 1 else ""
        raise InvalidArgument(f"{first}{others} is there already; --resume leaves it, --force writes it again")
    summary = Summary(len(items), skipped, selection.ignored)
    restore = _way(args)
    with _terminable():
        try:
            with Bars(len(items)) as bars:
                restore(Run(items, summary, bars))
        finally:
            if selection.in_folder:
                print(summary.words(), file=sys.stderr)  # noqa: T201
    if args.json:
        single = summary.restored and not selection.in_folder
        print(json.dumps(summary.restored[0] if single else summary.json()))  # noqa: T201
    return 1 if summary.failed else 0


def _way(args: argparse.Namespace) -> Callable[[Run], None]:
    """What restores the pictures of a run: this machine or a server."""
    if args.url:
        return _through_server(args)
    if useless := [f"--{name.replace('_', '-')}" for name in REMOTE if getattr(args, name) is not None]:
        raise InvalidArgument(f"{', '.join(useless)} is for a server (--url)")
    from service.batch.local import Choices, LocalRestorer, artifact

    chosen = settings.read(backend=args.backend, device=args.device)
    choices = Choices(args.tile, args.halo, args.frame, args.pattern, args.quality, args.keep)
    network = artifact(chosen.artifacts, args.task, model=args.model, scale=args.scale, pattern=args.pattern)
    restorer = LocalRestorer(network, chosen, choices)
    return lambda run: run.one_by_one(restorer)


def _through_server(args: argparse.Namespace) -> Callable[[Run], None]:
    from service.batch.remote import RemoteRestorer, restore_remotely
    from service.batch.waiting import Waiting
    from unseam import AsyncClient, Options

    if useless := [f"--{name}" for name in LOCAL if getattr(args, name) is not None]:
        raise InvalidArgument(f"{', '.join(useless)} cannot be chosen for a server (--url)")
    patience_s = PATIENCE_S if args.patience is None else args.patience
    at_once = args.at_once or AT_ONCE
    client = AsyncClient(
        args.url,
        key=os.environ.get(KEY),
        patience_s=patience_s,
        at_once=at_once,
        on_wait=Waiting(Bars.say, patience_s),
    )
    options = Options(
        model=args.model,
        scale=args.scale,
        pattern=args.pattern,
        quality=args.quality,
        keep=args.keep,
        frame=args.frame,
    )
    restorer = RemoteRestorer(client, args.task, options)
    return lambda run: restore_remotely(run, client, restorer, at_once)


@contextmanager
def _terminable() -> Iterator[None]:
    """Be interrupted by SIGTERM, and where the terminal is closed, as by Ctrl-C.

    So there are no half files, no job is left on a server, and there is a summary. An ignored signal (nohup) stays so.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    before = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _format(text: str) -> Format:
    if (suffix := f".{text.lower()}") not in FORMATS:
        raise argparse.ArgumentTypeError(f"takes {', '.join(Format)}, not {text}")
    return FORMATS[suffix]


def _seconds(text: str) -> float:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"takes whole seconds, not {text}")
    return float(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"takes 1 or more, not {text}")
    return int(text)


def _quality(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"takes 1 to 100, not {text}")
    return int(text)
