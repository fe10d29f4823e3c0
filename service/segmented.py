"""A network's segments made ready to restore pictures exactly; opened when the first picture needs them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging import staged
from imaging.errors import PlanError
from imaging.flow import Run
from imaging.stages import Layout
from service.catalogue import Artifact
from service.observation import BatchObserver, StageObserver, observed
from service.planning import TILE_UNIT_PIXELS

log = logging.getLogger(__name__)

Array = NDArray[np.float32]


class Segmented:
    """One network in segments.

    Args:
        artifact: the network's; has segments where any of the methods is called.
        open_runs: opens the runners of all segments, by name.
        on_stage: is told of every call.
    """

    def __init__(
        self, artifact: Artifact, open_runs: Callable[[], Mapping[str, Run]], on_stage: StageObserver | None
    ) -> None:
        self._artifact = artifact
        self._open = open_runs
        self._on_stage = on_stage
        self._opened: Mapping[str, Run] = {}

    def restore(self, image: Array, layout: Layout, on_batch: BatchObserver | None, **common: Any) -> Array:
        """`imaging.staged.restore`, begun anew with smaller tiles where a single one does not fit in memory."""
        try:
            return staged.restore(image, self.runs(layout, on_batch), layout, **common)
        except MemoryError:
            smaller = self._smaller(layout)
            if smaller is None:
                raise
            log.warning("a tile of %d pixels does not fit in memory; trying %d", layout.tile, smaller.tile)
        return self.restore(image, smaller, on_batch, **common)

    def runs(self, layout: Layout, on_batch: BatchObserver | None = None) -> dict[str, Run]:
        """What computes each stage of a layout; tiles of the last one are those that `on_batch` counts."""
        self._opened = self._opened or self._open()
        whole = sum(stage.load for stage in layout.stages)
        return {
            stage.name: self._watched(
                self._opened[stage.name],
                plan.tile_shape[0] * plan.tile_shape[1] / TILE_UNIT_PIXELS * stage.cost / whole,
                on_batch,
                counted=stage is layout.stages[-1],
            )
            for stage, plan in zip(layout.stages, layout.plans, strict=True)
        }

    def _smaller(self, layout: Layout) -> Layout | None:
        """The same picture in tiles of half the side; None where those would have no core."""
        assert self._artifact.staged
        with suppress(PlanError):
            return self._artifact.staged.layout(layout.height, layout.width, layout.tile // 2)
        return None

    def _watched(self, run: Run, units: float, on_batch: BatchObserver | None, *, counted: bool) -> Run:
        """Told to both observers: of so many tile units for each tile, and of tiles where they are counted."""

        def tell(tiles: int, seconds: float | None) -> None:
            if self._on_stage:
                self._on_stage(tiles * units, seconds)
            if on_batch:
                on_batch(tiles if counted else 0, seconds)

        return observed(run, tell)
