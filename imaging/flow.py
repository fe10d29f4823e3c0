"""Rows on their way through the segments of a network, from the picture to the result.

Rows flow: a segment computes its next row of tiles as soon as the maps it reads reach down far enough, driven by what
the last segment asks for; rows that nobody needs any more are let go. So memory grows with the picture's width, not
with its height, and a picture can come from a file and go to a file while it is being restored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from imaging.errors import Cancelled, InvalidResult, OutOfMemory
from imaging.joints import Joint, joint
from imaging.stages import PICTURE, Layout, Stage
from imaging.strip import Budget, Strip
from imaging.tiling import Axis, Plan

Array = NDArray[np.float32]
Run = Callable[..., Array]  # a segment on a batch: maps (N, h, w, C), in the order of Stage.reads, to one such map
Rows = Callable[[int, int], Array]  # (top, bottom) -> the picture's rows (bottom - top, W, C); asked for in order

ROWS_AT_ONCE: Final = 64  # of the picture, read and continued
MEMORY_BYTES: Final = 2**29  # of maps; what is beyond it waits in temporary files


@dataclass
class Pace:
    """Batches, progress and cancelling, over all stages.

    Attributes:
        tiles: that are spoken of.
        steps: tiles of all stages.
        batch: tiles at once, now.
        done: of the steps.
    """

    tiles: int
    steps: int
    batch: int
    on_progress: Callable[[int, int], object] | None
    cancelled: Callable[[], bool] | None
    done: int = 0

    def check(self) -> None:
        """Say how far it is. Raises Cancelled where that is asked for."""
        done = self.done * self.tiles // self.steps
        if self.on_progress:
            self.on_progress(done, self.tiles)
        if self.cancelled and self.cancelled():
            raise Cancelled(f"cancelled after {done} of {self.tiles} tiles")


@dataclass
class Flow:
    """The maps' rows on their way from the picture to the result."""

    rows: Rows
    runs: Mapping[str, Run]
    layout: Layout
    pace: Pace
    in_channels: int
    budget: Budget | None
    strips: dict[str, Strip] = field(default_factory=dict)
    place: dict[str, int] = field(default_factory=dict)  # of each stage in layout.stages
    next_row: list[int] = field(default_factory=list)  # of tiles, for each stage
    joints: dict[str, Joint] = field(default_factory=dict)  # of each stage's tiles

    def __post_init__(self) -> None:
        stages = self.layout.stages
        self.place = {stage.name: place for place, stage in enumerate(stages)}
        budget = self.budget or Budget(MEMORY_BYTES)
        self.strips = {name: Strip(budget) for name in (PICTURE, *self.place)}
        self.next_row = [0] * len(stages)
        self.joints = {
            stage.name: joint(stage, plan, budget) for stage, plan in zip(stages, self.layout.plans, strict=True)
        }
        self.maps = {PICTURE: Stage(PICTURE, (), 1, 0)} | {stage.name: stage for stage in stages}
        self.readers = {
            name: [place for place, stage in enumerate(stages) if name in stage.reads] for name in self.strips
        }

    def restored(self) -> Iterator[Array]:
        """The last stage's rows, one row of tiles after the other."""
        last = len(self.layout.stages) - 1
        while self.next_row[last] < len(self.layout.plans[last].rows.origins):
            yield self._advance(last)
        self.pace.check()

    def close(self) -> None:
        """Let go of everything."""
        for strip in self.strips.values():
            strip.release(strip.stop)
        for each in self.joints.values():
            each.close()

    def _ensure(self, name: str, bottom: int) -> None:
        """Make a map's rows down to `bottom`, in picture pixels."""
        strip, side = self.strips[name], self.maps[name]
        while strip.stop < side.measure(min(bottom, self.layout.extent[0])):
            strip.append(self._read_picture() if name == PICTURE else self._advance(self.place[name]))

    def _read_picture(self) -> Array:
        """The next rows of the picture, continued by reflection to the right and at the bottom."""
        strip, layout = self.strips[PICTURE], self.layout
        if strip.stop < layout.height:
            read = self._rows(strip.stop, min(strip.stop + ROWS_AT_ONCE, layout.height))
            wide = np.empty((len(read), layout.extent[1], self.in_channels), dtype=read.dtype)
            wide[:, : layout.width] = read
            wide[:, layout.width :] = read[:, _reflected(layout.width, layout.extent[1])]
            return wide
        (missing,) = strip.tiles(1, layout.extent[0] - layout.height, layout.extent[1])
        for row, source in zip(missing, _reflected(layout.height, layout.extent[0]), strict=True):
            strip.read(row[None], int(source), 0)
        continued: Array = missing
        return continued

    def _rows(self, top: int, bottom: int) -> Array:
        """The picture's rows, checked: fewer than asked for would be waited for without end."""
        read = self.rows(top, bottom)
        if read.ndim != 3 or read.shape[:2] != (bottom - top, self.layout.width):
            raise ValueError(f"rows {top} to {bottom} of {self.layout.width} pixels were asked for, given {read.shape}")
        return read

    def _advance(self, place: int) -> Array:
        """Compute a stage's next row of tiles: the rows of its map that this row of tiles answers for."""
        stage, plan = self.layout.stages[place], self.layout.plans[place]
        row, tiles = self.next_row[place], self.joints[stage.name]
        top = plan.rows.origins[row]
        for name in stage.reads:
            self._ensure(name, top + plan.rows.tile)
        result: Array | None = None
        columns = range(len(plan.columns.origins))
        while columns:
            self.pace.check()
            several = columns[: self.pace.batch * stage.at_once]
            answers = self._attempt(stage, plan, [(top, plan.columns.origins[column]) for column in several])
            if answers is None:
                self._halve(-(-len(several) // stage.at_once), plan)
                continue
            if result is None:
                result = tiles.room(row, answers)
            for column, answer in zip(several, answers, strict=True):
                tiles.put(result, answer, row, column)
            self.pace.done += len(several)
            columns = columns[len(several) :]
        assert result is not None  # a plan has at least one column
        self.next_row[place] += 1
        self._release(stage)
        return tiles.complete(result, row)

    def _halve(self, tried: int, plan: Plan) -> None:
        self.pace.batch = tried // 2
        if self.pace.batch == 0:
            height, width = plan.tile_shape
            raise OutOfMemory(f"a single tile of {width} x {height} pixels does not fit in memory; use smaller tiles")

    def _attempt(self, stage: Stage, plan: Plan, corners: list[tuple[int, int]]) -> Array | None:
        """A stage's answers for tiles at `corners` (top, left), checked; None where memory ran out."""
        try:
            answers = self.runs[stage.name](*(self._tiles(name, plan, corners) for name in stage.reads))
        except MemoryError:
            return None
        height, width = (stage.measure(side) for side in plan.tile_shape)
        if answers.ndim != 4 or answers.shape[:3] != (len(corners), height, width):
            raise InvalidResult(
                f"{stage.name} answered {answers.shape} for {len(corners)} tile(s) of {width} x {height}"
            )
        if not np.isfinite(answers).all():
            raise InvalidResult(f"{stage.name} answered with values that are not finite numbers")
        return answers

    def _tiles(self, name: str, plan: Plan, corners: list[tuple[int, int]]) -> Array:
        source, strip = self.maps[name], self.strips[name]
        tiles = strip.tiles(len(corners), *(source.measure(side) for side in plan.tile_shape))
        for tile, (top, left) in zip(tiles, corners, strict=True):
            strip.read(tile, source.measure(top), source.measure(left))
        return tiles

    def _release(self, stage: Stage) -> None:
        """Let go of what no stage will read again."""
        for name in stage.reads:
            needed = [self._next_top(place) for place in self.readers[name]]
            if name == PICTURE:  # its last rows are reflected below it
                needed.append(self.layout.height - (self.layout.extent[0] - self.layout.height) - 1)
            self.strips[name].release(self.maps[name].measure(max(min(needed), 0)))

    def _next_top(self, place: int) -> int:
        """First row, in picture pixels, that a stage still has to read."""
        origins, row = self.layout.plans[place].rows.origins, self.next_row[place]
        return min(origins[row:], default=self.layout.extent[0])


def _reflected(size: int, extent: int) -> NDArray[np.intp]:
    """Which of `size` rows or columns stands at each place from `size` up to `extent`."""
    return Axis(size, extent, extent, (0,), (), 0).source(0)[size:]
