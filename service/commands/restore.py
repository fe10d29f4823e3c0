"""Restore a picture on this machine, without a server."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, get_args

from export.manifest import Backend
from imaging.codec import Format, Limits, decode, encode
from service import settings
from service.catalogue import Artifact, Catalogue
from service.errors import ServiceError

FORMATS: Final = {suffix: format for format in Format for suffix in (format.suffix, f".{format}")}


class InvalidArgument(ServiceError, ValueError):  # noqa: N818 - named for what it is, as service.errors
    """A file or option that cannot be used."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("input", metavar="IN", type=Path, help="the picture")
    parser.add_argument("-o", "--output", metavar="OUT", type=Path, required=True, help="where the result goes")
    parser.add_argument("--task", required=True, help="what to do: derain, denoise, ...")
    parser.add_argument("--model", help="the network (default: the task's)")
    parser.add_argument("--backend", choices=get_args(Backend), help="the runtime (default: the network's)")
    parser.add_argument("--device", help="cpu, cuda or cuda:N (default: UNSEAM_DEVICE, else cpu)")
    parser.add_argument("--scale", type=int, help="for upscale: 2, 3 or 4")
    parser.add_argument("--tile", type=int, help="side of the tiles in pixels; 0 is the whole picture at once")
    parser.add_argument("--halo", type=int, help="pixels read around each tile (default: the network's)")
    parser.add_argument("--frame", type=int, help="which page of a TIFF or frame of an animation, counted from 0")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Restore one file; the output appears whole or not at all."""
    chosen = settings.read(backend=args.backend, device=args.device)
    report = _restore(args, chosen, _artifact(args, chosen.artifacts))
    if args.json:
        print(json.dumps(report))  # noqa: T201
    return 0


def _artifact(args: argparse.Namespace, folder: Path) -> Artifact:
    catalogue = Catalogue.read(folder)
    if not len(catalogue):
        raise InvalidArgument(f"there are no networks in {folder}/; make them with: unseam export --missing")
    return catalogue.find(args.task, model=args.model, scale=args.scale)


def _restore(args: argparse.Namespace, chosen: settings.Settings, artifact: Artifact) -> dict[str, Any]:
    from tqdm import tqdm

    from service.engine import Engine, Options

    format = _format(args.output)
    limits = Limits(max_bytes=sys.maxsize, max_pixels=chosen.max_pixels, max_side=chosen.max_side)
    marks = [time.perf_counter()]
    picture = decode(_read(args.input), limits, frame=args.frame)
    marks.append(time.perf_counter())
    engine = Engine(artifact, Options(chosen.backend, chosen.device, chosen.threads, chosen.batch))
    height, width = picture.pixels.shape[:2]
    plan = engine.cut(height, width, tile=args.tile, halo=args.halo)
    marks.append(time.perf_counter())
    with tqdm(total=len(plan), unit="tile", desc=args.input.name, disable=None) as bar:  # None: on a terminal only
        pixels = engine.restore(picture.visible, plan, on_progress=lambda done, total: bar.update(done - bar.n))
    restored = picture.restored(pixels)
    marks.append(time.perf_counter())
    _write(args.output, encode(restored, format=format))
    marks.append(time.perf_counter())
    stages = zip(("decode", "load", "infer", "encode"), marks[:-1], marks[1:], strict=True)
    return {
        "input": str(args.input),
        "output": str(args.output),
        "task": args.task,
        "model": artifact.manifest.name,
        "version": artifact.manifest.version,
        "backend": engine.backend,
        "width": restored.pixels.shape[1],
        "height": restored.pixels.shape[0],
        "tile": plan.tile_shape[0],
        "halo": plan.halo,
        "tiles": len(plan),
        "seconds": {stage: round(end - start, 4) for stage, start, end in stages},
    }


def _format(output: Path) -> Format:
    if not output.parent.is_dir():
        raise InvalidArgument(f"there is no folder {output.parent}/ for the output")
    if output.suffix.lower() not in FORMATS:
        raise InvalidArgument(f"the output {output} has to end in one of {', '.join(FORMATS)}")
    return FORMATS[output.suffix.lower()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidArgument(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    """Write the file whole or not at all: under another name first, then one rename."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).chmod(0o666 & ~_umask())  # as any new file; temporary ones are their owner's alone
            Path(file.name).rename(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
