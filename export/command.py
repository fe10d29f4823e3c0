"""`unseam export`: make artifacts of shipped networks, or of one's own checkpoint."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter, ValidationError
from tqdm import tqdm

from export import artifact, pictures, several, storage
from export.artifact import Request
from export.manifest import ENGINES, Attention, Backend, Manifest, Parity, Precision
from export.several import Outcome
from models import registry

_BACKENDS = get_args(Backend)


class UsageError(ValueError):
    """The options contradict one another or leave open what to export."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="shipped networks; see: unseam models list")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="every shipped network")
    which.add_argument("--missing", action="store_true", help="only those without an artifact of their present weights")
    parser.add_argument(
        "--to",
        type=_backends,
        default=(),
        metavar="BACKEND,...",
        help=f"any of {', '.join(_BACKENDS)}; by default onnx, and openvino where it is installed, or torch where"
        " UNSEAM_BACKEND says so",
    )
    parser.add_argument(
        "--tiles",
        type=sides,
        metavar="SIDE,...",
        help="tile ladder (default 256,512, and 192,384 to enlarge 3 or 4 times)",
    )
    parser.add_argument(
        "--one-pass",
        action="store_true",
        help="add tiles of 1024 for IPT-V2 and KiT, for large pictures in one pass: so they go on TensorRT, in half"
        " precision and with UNSEAM_ONE_PASS (default: what UNSEAM_BACKEND and UNSEAM_ONE_PASS say)",
    )
    parser.add_argument("--precision", choices=get_args(Precision), help="of the graphs' products (default fp32)")
    parser.add_argument(
        "--attention",
        choices=get_args(Attention),
        help="how graphs compute key-semantic attention (default: whatever is fastest here); operator leaves it to the"
        " engine: our plugin in TensorRT, the body that the graph brings elsewhere",
    )
    parser.add_argument(
        "--artifacts", type=Path, help="folder to write to (default: the first of $UNSEAM_ARTIFACTS, or ./artifacts)"
    )
    parser.add_argument("--jobs", type=_count, metavar="N", help="networks at once (default: as cores and memory bear)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    own = parser.add_argument_group("a network of your own")
    own.add_argument(
        "--checkpoint", type=Path, help="its weights: safetensors, or GRL's or iiTransformer's published file"
    )
    own.add_argument("--network", help="its architecture")
    own.add_argument("--config", help="a published configuration's name, or a TOML file of its fields")
    own.add_argument("--task", help="what it restores")
    own.add_argument("--name", help="what to call it (default: the checkpoint's file name)")


def run(args: argparse.Namespace) -> int:
    """Export what was asked for, several networks at once; 1 if one of them failed."""
    request = _request(args)
    if args.checkpoint:
        return _report(args, request.root, [_own(args, request)])
    names = _wanted(args, request)
    if not names:
        _say(args, "nothing is missing")
    jobs = min(args.jobs or several.bearable(len(names)), len(names))
    with tqdm(total=len(names) * request.steps, disable=None, leave=False) as bar:

        def on_step(step: str) -> None:
            bar.set_description(step)
            bar.update()

        if jobs > 1:
            outcomes = several.export(names, request, jobs, on_step)
        else:
            outcomes = ((name, _alone(name, request, on_step, args)) for name in names)
        return _report(args, request.root, outcomes)


def _request(args: argparse.Namespace) -> Request:
    return Request(
        root=args.artifacts or storage.default_root(),
        backends=args.to or _backends_here(),
        tiles=args.tiles,
        precision=args.precision,
        attention=args.attention,
        only_missing=args.missing,
        one_pass=args.one_pass or _one_pass_here(),
    )


def _backends_here() -> tuple[Backend, ...]:
    """What the service needs besides graphs, if its settings are this process's too: weights where torch runs them."""
    return ("torch",) if os.environ.get("UNSEAM_BACKEND") == "torch" else ()


def _one_pass_here() -> bool:
    """Whether the settings of the service, if they are this process's too, have large pictures go in one pass."""
    told = os.environ.get("UNSEAM_ONE_PASS") or "false"
    try:
        return os.environ.get("UNSEAM_BACKEND") in ENGINES or TypeAdapter(bool).validate_python(told)
    except ValidationError:
        raise UsageError(f"UNSEAM_ONE_PASS is true or false, not {told!r}") from None


def _wanted(args: argparse.Namespace, request: Request) -> list[str]:
    """The shipped networks to export."""
    if any((args.network, args.config, args.task)):
        raise UsageError("--network, --config and --task belong to --checkpoint")
    if not (args.names or args.all or args.missing):
        raise UsageError("say which networks to export: names, --all, --missing or --checkpoint")
    cards = [registry.find(name) for name in dict.fromkeys(args.names)] or registry.cards()
    return [card.name for card in cards if not (args.missing and artifact.present(card, request))]


def _alone(name: str, request: Request, on_step: Callable[[str], object], args: argparse.Namespace) -> Outcome:
    """Export one network in this process."""
    try:
        return artifact.of_card(name, request, lambda step: on_step(f"{name}: {step}"), _waiting(name, args))
    except ValueError as error:
        if not (args.all or args.missing):
            raise
        return error


def _own(args: argparse.Namespace, request: Request) -> tuple[str, Outcome]:
    """Export a network of the user's own."""
    if args.names or args.all or args.missing:
        raise UsageError("--checkpoint exports that network alone: leave out the names, --all and --missing")
    if absent := [f"--{option}" for option in ("network", "config", "task") if not getattr(args, option)]:
        raise UsageError(f"--checkpoint needs {' and '.join(absent)} as well")
    from export import subject, tasks

    if args.task not in tasks.known():
        _say(args, f"{args.task} is a task of your own; the shipped ones are {', '.join(tasks.known())}")
    own = subject.from_checkpoint(args.checkpoint, args.network, args.config, args.task, args.name)
    name = own.name  # checked: it becomes a part of paths

    with tqdm(total=request.steps, disable=None, leave=False) as bar:

        def on_step(step: str) -> None:
            bar.set_description(f"{name}: {step}")
            bar.update()

        return name, artifact.make(name, lambda: own, request, on_step, _waiting(name, args))


def _waiting(name: str, args: argparse.Namespace) -> Callable[[], None]:
    return lambda: _say(args, f"{name}: another export of it is running; waiting")


def _report(args: argparse.Namespace, root: Path, outcomes: Iterable[tuple[str, Outcome]]) -> int:
    """Say what became of each network as it ends; 1 if one of them failed."""
    done: list[Manifest] = []
    failed: dict[str, str] = {}
    for name, outcome in outcomes:
        if isinstance(outcome, ValueError):
            failed[name] = str(outcome)
            _say(args, f"{name}: {outcome}")
        elif outcome:
            done.append(outcome)
            _say(args, _summary(outcome, root / name))
    if len(done) > 1 or any(one.built for one in done):  # only the table has a line on those
        _say(args, _parity_table(done))
    if args.json:
        report = {"exported": [one.model_dump(mode="json") for one in done], "failed": failed}
        sys.stdout.write(f"{json.dumps(report)}\n")
    return 1 if failed else 0


def _parity_table(done: Sequence[Manifest]) -> str:
    """How near every graph is to its network on every backend, a line each."""
    names = max(len(one.name) for one in done)
    rows = [f"{'network':<{names}}  {'':<4}  tile  {'backend':<12}  largest error  PSNR"]
    for one in done:
        measured = {(row.backend, row.tile): row for row in one.parity}
        for tile, backend in ((tile, backend) for tile in one.tiles for backend in one.backends):
            row = measured.get((backend, tile))
            figures = (
                f"{row.max_abs:13.1e}  {row.psnr_db:.0f} dB{_left_out(row)}"
                if row
                else "        built, not run: there is no GPU here"
            )
            rows.append(f"{one.name:<{names}}  {one.precision:<4}  {tile:>4}  {backend:<12}  {figures}")
    return "\n".join(rows)


def _left_out(row: Parity) -> str:
    """What the largest error says nothing about, if that is anything."""
    return f", near-ties decide {row.undecided:.0%} of a picture" if row.undecided else ""


def _summary(manifest: Manifest, folder: Path) -> str:
    """Some lines on one artifact: where it is, how near to torch, how fast, how tiles join."""
    rows = [f"{manifest.name} {manifest.version} {manifest.precision} -> {folder}/"]
    for one in manifest.parity:
        rows.append(
            f"  {one.backend:<12} tile {one.tile:>4}   within {one.max_abs:.1e} of torch ({one.psnr_db:.0f} dB"
            f"{_left_out(one)})"
        )
    if manifest.parity:
        rows.append(f"  compared on {pictures.described(manifest.tiles[0], manifest.in_channels)}")
    for timed in manifest.speed:
        rows.append(f"  {timed.backend:<12} tile {timed.tile:>4}   {timed.ms_per_tile:.0f} ms")
    for variant in manifest.variants:
        rows.append(
            f"  {variant.backend:<12} tile {variant.tile:>4}   {variant.ms_per_tile:.0f} ms with {variant.attention}"
        )
    for seam in manifest.seams:
        rows.append(
            f"  seams        tile {seam.tile:>4}   halo {seam.halo}: within {seam.max_lsb:.2f}/255 of untiled, "
            f"{100 * seam.equal_8bit:.2f} % equal"
        )
    return "\n".join(rows)


def _say(args: argparse.Namespace, text: str) -> None:
    tqdm.write(text, file=sys.stderr if args.json else sys.stdout)


def _backends(text: str) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(text.split(",")))
    if unknown := [name for name in chosen if name not in _BACKENDS]:
        raise argparse.ArgumentTypeError(f"no backend {', '.join(unknown)}; there are {', '.join(_BACKENDS)}")
    return chosen


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


def sides(text: str) -> tuple[int, ...]:
    """Read a list of sides, 256,512. Raises argparse.ArgumentTypeError for anything else."""
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of sides such as 256,512")
    return tuple(sorted({int(part) for part in parts}))
