"""Restore with a network on this machine."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaging.codec import Format, Limits, decode, encode
from imaging.codec.encoding import Keep
from service.batch.restorer import Progress, Restoration
from service.batch.selection import InvalidArgument
from service.catalogue import Artifact, Catalogue
from service.engine import Engine, Options
from service.planning import mode
from service.settings import Settings


@dataclass(frozen=True)
class Choices:
    """How pictures are restored here, as `unseam restore` takes it; None leaves a choice to the network."""

    tile: int | None = None
    halo: int | None = None
    frame: int | None = None
    pattern: str | None = None
    quality: int | None = None
    keep: Keep = "all"


def artifact(folder: Path, task: str, **wanted: Any) -> Artifact:
    """The network for a task. Raises InvalidArgument where none is exported, InvalidParameter where none fits."""
    catalogue = Catalogue.read(folder)
    if not len(catalogue):
        raise InvalidArgument(f"there are no networks in {folder}/; make them with: unseam export --missing")
    return catalogue.find(task, **wanted)


class LocalRestorer:
    """Restores pictures with one engine, loaded with the first of them."""

    def __init__(self, artifact: Artifact, settings: Settings, choices: Choices) -> None:
        self._artifact, self._choices = artifact, choices
        self._limits = Limits(max_bytes=sys.maxsize, max_pixels=settings.max_pixels, max_side=settings.max_side)
        self._options = Options(settings.backend, settings.device, settings.threads, settings.batch)
        self._engine: Engine | None = None

    def __call__(self, data: bytes, format: Format, on_progress: Progress) -> Restoration:
        """Restore a picture. Raises PictureError, PlanError or BackendError."""
        choices = self._choices
        marks = [time.perf_counter()]
        picture = decode(data, self._limits, frame=choices.frame)
        marks.append(time.perf_counter())
        engine = self._engine = self._engine or Engine(self._artifact, self._options)
        height, width = picture.pixels.shape[:2]
        course = engine.chart(height, width, tile=choices.tile, halo=choices.halo, pattern=choices.pattern)
        marks.append(time.perf_counter())
        on_progress(0, len(course))
        pixels = engine.restore(picture.visible, course, pattern=choices.pattern, on_progress=on_progress)
        restored = picture.restored(pixels)
        marks.append(time.perf_counter())
        content = encode(restored, format=format, quality=choices.quality, keep=choices.keep)
        marks.append(time.perf_counter())
        stages = zip(("decode", "load", "infer", "encode"), marks[:-1], marks[1:], strict=True)
        height, width = restored.pixels.shape[:2]
        facts = {
            "task": engine.manifest.task,
            "model": engine.manifest.name,
            "version": engine.manifest.version,
            "backend": engine.backend,
            "mode": mode(course),
            "tile": course.tile,
            "halo": course.halo,
            "tiles": len(course),
            "work": round(course.work, 3),
            "seconds": {stage: round(end - start, 4) for stage, start, end in stages},
        }
        return Restoration(content, width, height, facts)
