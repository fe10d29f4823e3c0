"""An exported network made ready to restore pictures: artifact and runner in, warm engine out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export import runners
from export.manifest import File, ManifestError
from export.runners import BackendError, Runner
from export.staged import open_runs
from imaging import flow, mosaic, staged
from imaging.errors import OutOfMemory, UnsupportedImage
from imaging.restoration import Run, read, restore
from imaging.stages import Layout
from imaging.tiling import Plan
from service.catalogue import Artifact
from service.errors import NotReady
from service.observation import BatchObserver, StageObserver, observed
from service.planning import TILE_UNIT_PIXELS, Course, chart, in_segments, tile_units
from service.segmented import Segmented

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Through = Callable[[Run, Plan], Run]  # puts something around the network for one picture


@dataclass(frozen=True)
class Options:
    """How engines run on this host: see `service.settings.Settings`, whose fields these are.

    Attributes:
        torch: whether torch may be among the backends where none is named; it may not in a process that serves HTTP.
    """

    backend: str | None = None
    device: str = "cpu"
    threads: int | None = None
    batch: int = 1
    torch: bool = True


class Engine:
    """One network on one backend; as many threads at once may call `restore` as the runners bear.

    Attributes:
        manifest: the network's.
        backend: the runtime in use.
    """

    def __init__(
        self,
        artifact: Artifact,
        options: Options = Options(),
        load: Callable[..., Any] = runners.load,
        load_segment: Callable[..., Any] = runners.load,
        on_stage: StageObserver | None = None,
    ) -> None:
        self.manifest = artifact.manifest
        self._artifact = artifact
        self._folder = artifact.folder
        self._options = options
        self._load = load
        self._runners: dict[Path, Runner] = {}
        self.backend = self._first_usable()
        self._segmented = Segmented(artifact, partial(self._open_segments, load_segment), on_stage)

    def chart(
        self, height: int, width: int, *, tile: int | None = None, halo: int | None = None, pattern: str | None = None
    ) -> Course:
        """Choose a picture's course; see `service.planning.chart`."""
        return chart(self._artifact, height, width, backend=self.backend, tile=tile, halo=halo, pattern=pattern)

    def warm(self) -> float:
        """Load what pictures will need and run it once, on the smallest tile; returns seconds per tile unit.

        Where pictures go through segments, larger tiles of the whole network are left until one is asked for: on a CPU
        they would take most of the memory of a server at rest. On a GPU a full batch is run as well: a runtime may make
        itself ready for its size, which takes too long within a job.
        """
        manifest, description = self.manifest, in_segments(self._artifact, self.backend)
        for side in manifest.tiles[:1] if description else manifest.tiles:
            run = self._runner(self.backend, side)
            tile = np.zeros((1, manifest.in_channels, side, side), dtype=np.float32)
            start = time.perf_counter()
            run(tile)
            seconds = time.perf_counter() - start
            units = side**2 / TILE_UNIT_PIXELS
            if self._options.batch > 1 and self._options.device != "cpu":
                with suppress(OutOfMemory):  # pictures then go in smaller ones
                    run(np.repeat(tile, self._options.batch, axis=0))
        if description:
            course = description.layout(side, side)
            self._segmented.runs(course)  # opens them, which is no part of the time
            start = time.perf_counter()
            self.restore(np.zeros((side, side, manifest.in_channels), dtype=np.float32), course)
            seconds, units = time.perf_counter() - start, tile_units(course)
        return seconds / units

    def restore(
        self,
        image: Array,
        course: Course,
        *,
        pattern: str | None = None,
        on_progress: Callable[[int, int], object] | None = None,
        on_batch: BatchObserver | None = None,
        through: Through | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Array:
        """Restore (H, W, C), values 0..1, to (scale * H, scale * W, C'); `pattern` is that of the course.

        An exact course is begun anew with smaller tiles where a single one does not fit in memory. A tile whose graph
        was not opened before the artifact was replaced goes through the segments. `through` is for plans of one pass
        alone.

        Raises what `imaging.restoration.restore` raises; UnsupportedImage if the network takes other channels;
        NotReady if the artifact was replaced since the start and there are no segments for the picture.
        """
        self._check(image.shape[2])
        rows, columns = mosaic.offset(pattern, self.manifest.pattern)
        begun = mosaic.begun_earlier(image, rows, columns)
        course = self._passable(course, *begun.shape[:2])
        common: dict[str, Any] = {
            "batch": self._options.batch,
            "in_channels": self.manifest.in_channels,
            "on_progress": on_progress,
            "cancelled": cancelled,
        }
        if isinstance(course, Layout):
            restored = self._segmented.restore(begun, course, on_batch, **common)
        else:
            run: Run = self._runner(self.backend, course.tile_shape[0])
            if on_batch:
                run = observed(run, on_batch)
            restored = restore(begun, through(run, course) if through else run, course, **common)
        return restored[rows * self.manifest.scale :, columns * self.manifest.scale :]

    def stream(
        self,
        rows: flow.Rows,
        layout: Layout,
        channels: int,
        *,
        on_progress: Callable[[int, int], object] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[Array]:
        """Restore a picture that is read and written by rows, (rows, scale * W, C'); see `imaging.staged.stream`."""
        self._check(channels)
        return staged.stream(
            rows,
            self._segmented.runs(layout),
            layout,
            batch=self._options.batch,
            channels=channels,
            in_channels=self.manifest.in_channels,
            on_progress=on_progress,
            cancelled=cancelled,
        )

    def restore_tiles(
        self, image: Array, plan: Plan, positions: list[tuple[int, int]], *, pattern: str | None = None
    ) -> Array:
        """The network's answers for some of a picture's tiles: (N, C', scale * T, scale * T). Raises as `restore`."""
        self._check(image.shape[2])
        run = self._runner(self.backend, plan.tile_shape[0])
        begun = mosaic.offset(pattern, self.manifest.pattern)
        return run(read(image, plan, positions, self.manifest.in_channels, begun=begun))

    def _passable(self, course: Course, height: int, width: int) -> Course:
        """The course itself, or one through segments for a picture of this size where it needs a graph that is gone."""
        if isinstance(course, Plan):
            try:
                self._runner(self.backend, course.tile_shape[0])
            except NotReady as error:
                segments = in_segments(self._artifact, self.backend)
                if not segments:
                    raise
                log.warning("%s", error)
                return segments.layout(height, width)
        return course

    def _open_segments(self, load: Callable[..., Any]) -> Mapping[str, flow.Run]:
        description, options = self._artifact.staged, self._options
        assert description
        with self._as_at_the_start():
            return open_runs(
                description, self._folder, self.backend, device=options.device, threads=options.threads, load=load
            )

    def _check(self, channels: int) -> None:
        taken = self.manifest.in_channels
        if channels != 1 and self.manifest.pattern:
            raise UnsupportedImage(
                "A mosaic is a grey picture, each pixel under its colour filter; this one has colours already.",
                channels=channels,
                allowed=[1],
            )
        if channels not in (1, taken):
            raise UnsupportedImage(
                f"{self.manifest.name} takes pictures of {taken} channel(s), and this one has {channels}.",
                channels=channels,
                allowed=[taken],
            )

    def _first_usable(self) -> str:
        """The wanted backend, or the first of the manifest's that this host can load."""
        wanted = (self._options.backend,) if self._options.backend else self.manifest.backends
        faults = []
        for backend in wanted:
            if backend == "torch" and not self._options.torch:
                faults.append("torch runs in workers alone")
                continue
            try:
                self._runner(backend, self.manifest.tiles[0])
            except BackendError as error:
                log.warning("%s does not run on %s: %s", self.manifest.name, backend, error)
                faults.append(str(error))
            else:
                return backend
        raise BackendError(f"{self.manifest.name} runs on no backend here: {'; '.join(faults)}")

    def _runner(self, backend: str, side: int) -> Runner:
        file, options = self._file(backend, side), self._options
        path = self._folder / file.file
        if path not in self._runners:
            with self._as_at_the_start():
                self._runners[path] = self._load(
                    backend, path, device=options.device, threads=options.threads, sha256=file.sha256
                )
        return self._runners[path]

    def _file(self, backend: str, side: int) -> File:
        if backend != "torch":
            return self.manifest.graph(side)
        if self.manifest.weights is None:
            raise BackendError(f"{self.manifest.name} was exported without the weights that the torch backend needs")
        return self.manifest.weights

    @contextmanager
    def _as_at_the_start(self) -> Iterator[None]:
        """Open files that are still those of the manifest: answers under one name come from one network."""
        try:
            yield
        except ManifestError as error:
            raise NotReady(
                f"{self.manifest.name} was exported anew, and this process has the former one: it has to be restarted.",
                retry_after_s=60,
            ) from error
