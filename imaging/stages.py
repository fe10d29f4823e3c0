"""How a picture of any size passes through a network's segments: the tiles of each one.

A network is cut into segments between kept feature maps (`models.segments`). Each segment needs a halo of its own few
layers only, so each has tiles of its own; `imaging.staged` computes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from imaging import cells
from imaging.errors import PlanError
from imaging.tiling import Axis, Plan

PICTURE: Final = "picture"
TILES: Final = (512, 768, 1024)  # from the one that needs the least memory to the one with the least redundant work
MAX_WORK: Final = 1.25  # computed over what an untiled run computes, at which a tile is large enough
RESIDENT: Final = 64  # side of a tile, in pixels of a segment's map, whose values a core's own cache holds
SPILLED: Final = 2  # doublings of that side after which all of them come from memory
PER_DOUBLING: Final = 0.3  # longer that a pixel takes after each of those


@dataclass(frozen=True)
class Stage:
    """What execution has to know of one segment; lattice and halo are in picture pixels.

    Attributes:
        name: of the segment, and of the map it gives.
        reads: the maps it takes.
        lattice: its tiles start on multiples of it.
        halo: how far from a tile's rim its answer is wrong; 0 for cells.
        single: a map of so many picture pixels along a side, or fewer, is computed in another way: pictures are
            continued until they are longer, and so are tiles.
        cost: of a tile's pixel, in a unit that is the same for all stages.
        down, up: a pixel of its map is down/up picture pixels wide (of an enlarged picture, 1/scale).
        cell: its tiles are cells of this side that overlap by half and fade into one another (`imaging.cells`),
            however large tiles are elsewhere; 0 where they have a halo and are cut.
    """

    name: str
    reads: tuple[str, ...]
    lattice: int
    halo: int
    single: int = 0
    down: int = 1
    up: int = 1
    cost: float = 1.0
    cell: int = 0

    @property
    def load(self) -> float:
        """The cost of a picture's pixel; but at the borders four cells lie on each."""
        return self.cost * (4 if self.cell else 1)

    @property
    def at_once(self) -> int:
        """Tiles that count as one: on coarse maps, cells are too small to be worth a call each."""
        return max(RESIDENT // self.measure(self.cell), 1) ** 2 if self.cell else 1

    def measure(self, length: int) -> int:
        """A length in picture pixels as pixels of this stage's map."""
        return length * self.up // self.down


@dataclass(frozen=True)
class Layout:
    """How a picture passes through all stages.

    Attributes:
        height: the picture's, in pixels.
        width: the picture's, in pixels.
        extent: height and width continued, see `continued`.
        stages: in order of computation.
        plans: the tiles of each stage, over the whole extent; all of a stage's are equal, and cuts are hard but for
            cells.
    """

    height: int
    width: int
    extent: tuple[int, int]
    stages: tuple[Stage, ...]
    plans: tuple[Plan, ...]

    @property
    def scale(self) -> int:
        """Output side over input side."""
        return self.stages[-1].up

    @property
    def cuts(self) -> tuple[Plan, ...]:
        """The plans of the stages that are cut into tiles, rather than into cells."""
        return tuple(plan for stage, plan in zip(self.stages, self.plans, strict=True) if not stage.cell)

    def __len__(self) -> int:
        """Number of tiles of the stage that has the most."""
        return max(map(len, self.cuts), default=1)

    @property
    def tile(self) -> int:
        """Longest side of a tile, in picture pixels."""
        return max(side for plan in self.cuts for side in plan.tile_shape)

    @property
    def halo(self) -> int:
        """The widest halo of any stage, in picture pixels; 0 where no stage is cut."""
        return max(plan.halo if len(plan) > 1 else 0 for plan in self.cuts)

    @property
    def work(self) -> float:
        """What is computed over what an untiled run computes; 1 is no redundant work (cells: less, at the borders)."""
        done = sum(plan.work * stage.cost for plan, stage in zip(self.plans, self.stages, strict=True))
        return done / sum(stage.load for stage in self.stages)


def layout(height: int, width: int, stages: Sequence[Stage], *, tile: int, lattice: int) -> Layout:
    """Plan every stage of a picture of `height` x `width`.

    Args:
        height: the picture's height, at least 1.
        width: the picture's width, at least 1.
        stages: the network's.
        tile: longest side of a tile in picture pixels; 0 is the whole picture as one tile.
        lattice: the network's; see `continued`.

    Raises:
        PlanError: the tile has no core inside some stage's halo.
    """
    if min(height, width) < 1 or tile < 0:
        raise PlanError(f"a picture of {width} x {height} pixels cannot be cut into tiles of {tile}")
    extent = continued(height, stages, lattice), continued(width, stages, lattice)
    return Layout(height, width, extent, tuple(stages), tuple(_plan(extent, tile, stage) for stage in stages))


def continued(side: int, stages: Iterable[Stage], lattice: int) -> int:
    """The multiple of `lattice` that the network continues a picture's side to, so that no stage finds it single."""
    longest = max(side, *(stage.single + 1 for stage in stages))
    return -(-longest // lattice) * lattice


def economical(height: int, width: int, stages: Sequence[Stage], *, lattice: int) -> Layout:
    """`layout` with the smallest of the usual tiles whose work is at most 1.25, or with the largest; see `Layout.work`.

    Raises PlanError if the largest has no core.
    """
    for tile in TILES[:-1]:
        with suppress(PlanError):
            plan = layout(height, width, stages, tile=tile, lattice=lattice)
            if plan.work <= MAX_WORK:
                return plan
    return layout(height, width, stages, tile=TILES[-1], lattice=lattice)


def _plan(extent: tuple[int, int], tile: int, stage: Stage) -> Plan:
    """The tiles of a stage: those of at most `tile` that promise to take least time.

    Small tiles stay in a core's cache from one operator of a segment to the next, and have more halo for their size.
    """
    if stage.cell:
        rows, columns = (cells.cut(side, stage.cell) for side in extent)
        return Plan(rows, columns, 0, stage.cell // 2, 1)
    plans = [_cut(extent, tile, stage)]
    for doubling in range(SPILLED if tile else 0):
        core = (RESIDENT << doubling) * max(stage.down // stage.up, 1)
        with suppress(PlanError):
            plans.append(_cut(extent, min(core + 2 * stage.halo, tile), stage))
    return min(plans, key=lambda plan: plan.work * _slowness(plan, stage))


def _slowness(plan: Plan, stage: Stage) -> float:
    """How much longer a pixel takes than in a tile that stays in the cache."""
    side = math.sqrt(math.prod(map(stage.measure, plan.tile_shape)))
    return 1 + PER_DOUBLING * min(max(math.log2(side / RESIDENT), 0), SPILLED)


def _cut(extent: tuple[int, int], tile: int, stage: Stage) -> Plan:
    rows, columns = (_axis(side, tile, stage) for side in extent)
    return Plan(rows, columns, stage.halo, stage.lattice, 1)


def _axis(extent: int, tile: int, stage: Stage) -> Axis:
    """As few tiles as `tile` allows, no longer than so many need, with cuts on whole pixels of the stage's map."""
    if tile == 0 or extent <= tile:
        return Axis(extent, extent, extent, (0,), (), 0)
    side = tile // stage.lattice * stage.lattice
    origins = _origins(extent, side, stage)
    if origins is None or side <= stage.single:
        least = max(2 * stage.halo + stage.lattice, stage.single + 1)
        raise PlanError(
            f"a tile of {tile} leaves no core between two halos of {stage.halo} ({stage.name}); "
            f"it must be at least {-(-least // stage.lattice) * stage.lattice}"
        )
    for shorter in range(side - stage.lattice, stage.single, -stage.lattice):
        found = _origins(extent, shorter, stage)
        if found is None or len(found) > len(origins):
            break
        side, origins = shorter, found
    cuts = tuple((first + side + second) // (2 * stage.down) * stage.down for first, second in pairwise(origins))
    return Axis(extent, extent, side, origins, cuts, 0)


def _origins(extent: int, tile: int, stage: Stage) -> tuple[int, ...] | None:
    """Where tiles begin so that each has its halo; None where a tile has no core."""
    stride = (tile - 2 * stage.halo) // stage.lattice * stage.lattice
    return (*range(0, extent - tile, stride), extent - tile) if stride > 0 else None
