"""An exported network made ready to restore pictures: artifact and runner in, warm engine out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export import runners
from export.runners import BackendError
from imaging import flow, mosaic, staged
from imaging.errors import UnsupportedImage
from imaging.restoration import Run, read, restore
from imaging.stages import Layout
from imaging.tiling import Plan
from service.catalogue import Artifact
from service.errors import NotReady
from service.observation import BatchObserver, StageObserver, observed
from service.opening import DEFAULTS, Graphs, Options
from service.planning import Course, chart, in_segments
from service.segmented import Segmented

__all__ = ["Engine", "Options"]

log = logging.getLogger(__name__)

Array = NDArray[np.float32]
Through = Callable[[Run, Plan], Run]  # puts something around the network for one picture


class Engine:
    """One network on one backend; as many threads at once may call `restore` as the runners bear.

    Attributes:
        manifest: the network's.
        backend: the runtime in use.
    """

    def __init__(
        self,
        artifact: Artifact,
        options: Options = DEFAULTS,
        load: Callable[..., Any] = runners.load,
        load_segment: Callable[..., Any] = runners.load,
        on_stage: StageObserver | None = None,
    ) -> None:
        self.manifest = artifact.manifest
        self._artifact = artifact
        self._options = options
        self._graphs = Graphs(artifact, options, load, load_segment, on_stage)
        self._segmented = Segmented(artifact, self._graphs.segments, on_stage)

    @property
    def backend(self) -> str:
        """The runtime in use."""
        return self._graphs.backend

    def chart(
        self, height: int, width: int, *, tile: int | None = None, halo: int | None = None, pattern: str | None = None
    ) -> Course:
        """Choose a picture's course; see `service.planning.chart`."""
        return chart(self._artifact, height, width, backend=self.backend, tile=tile, halo=halo, pattern=pattern)

    def warm(self) -> None:
        """Open what pictures will need and run it once, on another backend where this one fails at it.

        Where pictures go through segments, larger tiles of the whole network are left until one is asked for: on a CPU
        they would take most of the memory of a server at rest.

        Raises BackendError where no other backend is left.
        """
        try:
            self._warm()
        except BackendError as error:
            self._graphs.give_up(error)
            self.warm()

    def _warm(self) -> None:
        description, tiles = in_segments(self._artifact, self.backend), self.manifest.tiles
        for side in tiles[:1] if description else tiles:
            self._graphs.tiles(side)
        if description:
            self._segmented.runs(description.layout(tiles[0], tiles[0]))

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
            run: Run = self._graphs.tiles(course.tile_shape[0])
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
        run = self._graphs.tiles(plan.tile_shape[0])
        begun = mosaic.offset(pattern, self.manifest.pattern)
        return run(read(image, plan, positions, self.manifest.in_channels, begun=begun))

    def _passable(self, course: Course, height: int, width: int) -> Course:
        """The course itself, or one through segments for a picture of this size where it needs a graph that is gone."""
        if isinstance(course, Plan):
            try:
                self._graphs.tiles(course.tile_shape[0])
            except (NotReady, BackendError) as error:
                segments = in_segments(self._artifact, self.backend)
                if not segments:
                    raise
                log.warning("%s", error)
                return segments.layout(height, width)
        return course

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
