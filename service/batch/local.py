"""Restore with a network on this machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from imaging.codec import Format, Limits, decode, encode
from imaging.codec.encoding import Keep, refuse_loss
from imaging.codec.streams import Reader, write
from imaging.stages import Layout
from service.batch.restorer import Progress, Restoration, UnreadableFile
from service.batch.selection import InvalidArgument, Item
from service.catalogue import Artifact, Catalogue
from service.engine import Engine, Options
from service.planning import Course, mode
from service.settings import Settings
from unseam.files import appearing, write_whole

BY_ROWS_PIXELS: Final = 32_000_000  # from here on a TIFF is written while the picture is read
NO_LIMITS: Final = Limits(sys.maxsize, sys.maxsize, sys.maxsize, sys.maxsize)


@dataclass(frozen=True)
class Choices:
    """How pictures are restored here, as `unseam restore` takes it; None leaves a choice to the network."""

    tile: int | None = None
    halo: int | None = None
    frame: int | None = None
    pattern: str | None = None
    quality: int | None = None
    keep: Keep = "all"


def artifact(folders: Sequence[Path], task: str, **wanted: Any) -> Artifact:
    """The network for a task. Raises InvalidArgument where none is exported, InvalidParameter where none fits."""
    catalogue = Catalogue.read(*folders)
    if not len(catalogue):
        raise InvalidArgument(
            f"there are no networks in {' or '.join(map(str, folders))}; make them with: unseam export --missing"
        )
    return catalogue.find(task, **wanted)


class LocalRestorer:
    """Restores pictures with one engine, loaded with the first of them."""

    def __init__(self, artifact: Artifact, settings: Settings, choices: Choices) -> None:
        self._artifact, self._choices = artifact, choices
        self._limits = Limits(max_bytes=sys.maxsize, max_pixels=settings.max_pixels, max_side=settings.max_side)
        # On a CPU the export has tried what is used here; once more would take as long as a small picture.
        tried = settings.device != "cpu"
        self._options = Options(settings.backend, settings.device, settings.threads, settings.batch, tried=tried)
        self._engine: Engine | None = None

    def __call__(self, item: Item, on_progress: Progress) -> Restoration:
        """Restore a picture. Raises PictureError, PlanError, BackendError or UnreadableFile; leaves no half file."""
        return self._by_rows(item, on_progress) or self._in_memory(item, on_progress)

    def _in_memory(self, item: Item, on_progress: Progress) -> Restoration:
        try:
            data = item.source.read_bytes()
        except OSError as error:
            raise UnreadableFile.of(item, error) from error
        choices = self._choices
        marks = [time.perf_counter()]
        picture = decode(data, self._limits, frame=choices.frame)
        marks.append(time.perf_counter())
        engine = self._warm()
        refuse_loss(picture, item.format, engine.manifest.scale)  # before the work, not after it
        height, width = picture.pixels.shape[:2]
        course = engine.chart(height, width, tile=choices.tile, halo=choices.halo, pattern=choices.pattern)
        marks.append(time.perf_counter())
        on_progress(0, len(course))
        pixels = engine.restore(picture.visible, course, pattern=choices.pattern, on_progress=on_progress)
        restored = picture.restored(pixels)
        marks.append(time.perf_counter())
        content = encode(restored, format=item.format, quality=choices.quality, keep=choices.keep)
        marks.append(time.perf_counter())
        write_whole(item.target, content)
        stages = zip(("decode", "load", "infer", "encode"), marks[:-1], marks[1:], strict=True)
        height, width = restored.pixels.shape[:2]
        seconds = {stage: round(end - start, 4) for stage, start, end in stages}
        return Restoration(width, height, _facts(engine, course, seconds))

    def _by_rows(self, item: Item, on_progress: Progress) -> Restoration | None:
        """Restore a large picture to a TIFF, in memory that grows with its width only; None for any other."""
        source = item.source
        if item.format is not Format.TIFF or not source.is_file() or source.stat().st_size < BY_ROWS_PIXELS // 64:
            return None
        start = time.perf_counter()
        reader = Reader(source, NO_LIMITS, frame=self._choices.frame)
        height, width = reader.header.height, reader.header.width
        if height * width < BY_ROWS_PIXELS or not reader.by_rows or self._choices.pattern:
            return None
        engine, choices = self._warm(), self._choices
        course = engine.chart(height, width, tile=choices.tile, halo=choices.halo)
        if not isinstance(course, Layout):
            return None
        scale, manifest = engine.manifest.scale, engine.manifest
        restored = 1 if reader.channels < manifest.in_channels else manifest.out_channels
        with appearing(item.target) as file:
            write(
                file,
                engine.stream(reader.rows, course, reader.channels, on_progress=on_progress),
                width=width * scale,
                height=height * scale,
                channels=max(reader.header.channels, restored),  # as `Picture.restored`
                depth=reader.header.depth,
                metadata=reader.metadata.enlarged(scale),
                keep=choices.keep,
            )
        facts = _facts(engine, course, {"all": round(time.perf_counter() - start, 4)})
        return Restoration(width * scale, height * scale, facts)

    def _warm(self) -> Engine:
        self._engine = self._engine or Engine(self._artifact, self._options)
        return self._engine


def _facts(engine: Engine, course: Course, seconds: dict[str, float]) -> dict[str, Any]:
    return {
        "task": engine.manifest.task,
        "model": engine.manifest.name,
        "version": engine.manifest.version,
        "backend": engine.backend,
        "mode": mode(course),
        "tile": course.tile,
        "halo": course.halo,
        "tiles": len(course),
        "work": round(course.work, 3),
        "seconds": seconds,
    }
