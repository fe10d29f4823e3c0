"""`unseam export`: make artifacts of shipped networks, or of one's own checkpoint."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from tqdm import tqdm

from export import manifest as manifests
from export import storage
from export.manifest import Backend, Manifest, ManifestError, Precision
from models import registry
from models.registry import Card

if TYPE_CHECKING:
    from export.subject import Subject

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
        help=f"any of {', '.join(_BACKENDS)}; by default onnx, and openvino where it is installed",
    )
    parser.add_argument("--tiles", type=_sides, metavar="SIDE,...", help="tile ladder (default 256,512)")
    parser.add_argument("--precision", choices=get_args(Precision), help="of the graphs' products (default fp32)")
    parser.add_argument("--artifacts", type=Path, help="folder to write to (default $UNSEAM_ARTIFACTS, or ./artifacts)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    own = parser.add_argument_group("a network of your own")
    own.add_argument("--checkpoint", type=Path, help="its weights, a safetensors file; its name becomes the network's")
    own.add_argument("--network", help="its architecture")
    own.add_argument("--config", help="a published configuration's name, or a TOML file of its fields")
    own.add_argument("--task", help="what it restores")


def run(args: argparse.Namespace) -> int:
    """Export what was asked for, one network after the other; 1 if one of them failed."""
    root = args.artifacts or storage.default_root()
    done: list[Manifest] = []
    failed: dict[str, str] = {}
    for name, load in _wanted(args):
        try:
            manifest = _export(name, load, root, args)
        except ValueError as error:
            if not (args.all or args.missing):
                raise
            failed[name] = str(error)
            _say(args, f"{name}: {error}")
        else:
            done += [manifest] if manifest else []
    if args.json:
        report = {"exported": [one.model_dump(mode="json") for one in done], "failed": failed}
        sys.stdout.write(f"{json.dumps(report)}\n")
    return 1 if failed else 0


def _wanted(args: argparse.Namespace) -> Iterator[tuple[str, Callable[[], Subject]]]:
    """The networks to export: name, and how to get it (which loads torch, so only when it is known to be needed)."""
    if args.checkpoint:
        yield _own(args)
        return
    if any((args.network, args.config, args.task)):
        raise UsageError("--network, --config and --task belong to --checkpoint")
    if not (args.names or args.all or args.missing):
        raise UsageError("say which networks to export: names, --all, --missing or --checkpoint")
    for card in [registry.find(name) for name in args.names] or registry.cards():
        yield card.name, lambda card=card: _from_card(card)  # type: ignore[misc]


def _own(args: argparse.Namespace) -> tuple[str, Callable[[], Subject]]:
    if args.names or args.all or args.missing:
        raise UsageError("--checkpoint exports that network alone: leave out the names, --all and --missing")
    if absent := [f"--{option}" for option in ("network", "config", "task") if not getattr(args, option)]:
        raise UsageError(f"--checkpoint needs {' and '.join(absent)} as well")
    name: str = args.checkpoint.stem

    def load() -> Subject:
        from export import subject

        return subject.from_checkpoint(args.checkpoint, args.network, args.config, args.task)

    return name, load


def _from_card(card: Card) -> Subject:
    from export import subject

    return subject.from_card(card)


def _export(name: str, load: Callable[[], Subject], root: Path, args: argparse.Namespace) -> Manifest | None:
    """Make one artifact under its lock; None if it was not missing."""
    with storage.locked(root, name, lambda: _say(args, f"{name}: another export of it is running; waiting")):
        if args.missing and _present(root / name, registry.find(name), args.precision):
            return None
        from export import stage

        subject = load()
        options = stage.Options(
            args.to, args.tiles or stage.TILES, args.precision or "fp32", trust_halo=args.missing and not args.tiles
        )
        with (
            tqdm(total=stage.steps(options, subject.model.lattice), desc=name, disable=None, leave=False) as bar,
            storage.replacing(root, name) as folder,
        ):
            manifest = stage.export(subject, folder, options, lambda step: _advance(bar, name, step))
    _say(args, _summary(manifest, root / name))
    return manifest


def _present(folder: Path, card: Card, precision: Precision | None) -> bool:
    """Whether there is an artifact of the card's weights; in this precision, if one was asked for."""
    try:
        manifest = manifests.load(folder)
    except ManifestError:
        return False
    return manifest.weights_sha256 == card.sha256 and precision in (None, manifest.precision)


def _advance(bar: tqdm[Any], name: str, step: str) -> None:
    bar.set_description(f"{name}: {step}")
    bar.update()


def _summary(manifest: Manifest, folder: Path) -> str:
    """Some lines on one artifact: where it is, how near to torch, how fast, how tiles join."""
    rows = [f"{manifest.name} {manifest.version} {manifest.precision} -> {folder}/"]
    for one in manifest.parity:
        rows.append(
            f"  {one.backend:<12} tile {one.tile:>4}   within {one.max_abs:.1e} of torch ({one.psnr_db:.0f} dB)"
        )
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


def _sides(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of sides such as 256,512")
    return tuple(sorted({int(part) for part in parts}))
