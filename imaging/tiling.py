"""Where a picture is cut, and how the tiles join again (bounded mode: one pass, a halo around each tile's core).

Every tile has the same shape, starts on the lattice, and reads real pixels beyond its core. Of two neighbours, each
answers up to the cut in the middle of their overlap; around the cut one fades into the other over half the overlap that
the halo asks for (a sine ramp), so a blended pixel is still half a halo away from either tile's rim. Whole overlaps are
never averaged: that would mix in the pixels next to the rim, which are wrong.

Outside the picture lies its reflection, edge pixel not repeated. The right and bottom continue to the lattice, and
there the picture ends for the network: the last tile snaps back so that its rim is that end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from imaging.errors import PlanError

Weights = NDArray[np.float32]

_RAMP_STEPS = 4096  # weights are multiples of 1/4096: products of two, and their sums, are exact in float32


@dataclass(frozen=True)
class Axis:
    """The cuts along one side of a picture, in input pixels.

    Attributes:
        size: the picture's side.
        extent: `size` continued to the lattice; where the picture ends for the network.
        tile: the tiles' side.
        origins: where the tiles start, ascending but for the last; multiples of the lattice. Negative only where the
            picture is smaller than a tile.
        cuts: where one tile's core ends and the next one's begins; one less than `origins`, each inside the picture.
        ramp: half-width of the fade around each cut.
    """

    size: int
    extent: int
    tile: int
    origins: tuple[int, ...]
    cuts: tuple[int, ...]
    ramp: int

    def source(self, index: int) -> NDArray[np.intp]:
        """The picture's pixels that tile `index` reads, with reflection beyond the borders: (tile,), 0..size-1."""
        position = np.arange(self.origins[index], self.origins[index] + self.tile)
        period = max(2 * (self.size - 1), 1)
        folded = position % period
        return np.minimum(folded, period - folded) if self.size > 1 else np.zeros_like(folded)

    def reach(self, index: int) -> tuple[int, int]:
        """First and one past the last pixel of the picture to which tile `index` contributes."""
        start = self.cuts[index - 1] - self.ramp if index > 0 else 0
        stop = self.cuts[index] + self.ramp if index < len(self.cuts) else self.size
        return start, stop

    def fades(self, index: int, scale: int) -> tuple[Weights, Weights]:
        """Fade-in and fade-out of tile `index` over its reach in output pixels; 1 where there is none."""
        start, stop = self.reach(index)
        rise, fall = np.ones((stop - start) * scale, np.float32), np.ones((stop - start) * scale, np.float32)
        ramp = _sine_ramp(2 * self.ramp * scale)
        if index > 0:
            rise[: ramp.size] = ramp
        if index < len(self.cuts):
            fall[fall.size - ramp.size :] = 1 - ramp
        return rise, fall


@dataclass(frozen=True)
class Plan:
    """How a picture of `height` x `width` is cut into equal tiles; tiles are counted row by row.

    Attributes:
        rows: cuts along the height.
        columns: cuts along the width.
        halo: context that each tile's core has on every side that is not the picture's border, at least.
        lattice: every tile starts on a multiple of it.
        scale: output side over input side.
    """

    rows: Axis
    columns: Axis
    halo: int
    lattice: int
    scale: int

    @property
    def height(self) -> int:
        """The picture's height in input pixels."""
        return self.rows.size

    @property
    def width(self) -> int:
        """The picture's width in input pixels."""
        return self.columns.size

    @property
    def tile_shape(self) -> tuple[int, int]:
        """Height and width of every tile in input pixels."""
        return self.rows.tile, self.columns.tile

    @property
    def tile(self) -> int:
        """Longest side of a tile, in input pixels."""
        return max(self.tile_shape)

    @property
    def positions(self) -> list[tuple[int, int]]:
        """(row, column) of every tile, in the order in which they are run and assembled."""
        return [(row, column) for row in range(len(self.rows.origins)) for column in range(len(self.columns.origins))]

    @property
    def work(self) -> float:
        """Pixels run through the network over pixels of the picture; 1 is no redundant work."""
        return len(self) * self.rows.tile * self.columns.tile / (self.height * self.width)

    @property
    def row_cuts(self) -> tuple[int, ...]:
        """Output rows at which a new tile's core begins."""
        return tuple(cut * self.scale for cut in self.rows.cuts)

    @property
    def column_cuts(self) -> tuple[int, ...]:
        """Output columns at which a new tile's core begins."""
        return tuple(cut * self.scale for cut in self.columns.cuts)

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.rows.origins) * len(self.columns.origins)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self.positions)

    def weight(self, row: int, column: int) -> Weights:
        """Share of a tile in the result, over its reach in output pixels; over all tiles they sum to exactly 1."""
        (top, bottom), (left, right) = self.rows.fades(row, self.scale), self.columns.fades(column, self.scale)
        return np.outer(top + bottom - 1, left + right - 1)

    def gain(self, row: int, column: int) -> Weights:
        """A tile's share in what has been assembled once it is in: its weight over all weights up to it.

        Assembling is then a running mean, `out += (tile - out) * gain`, which leaves equal tiles equal to the last bit
        and needs no second picture. The row above is complete when a tile arrives, the row below has not begun.
        """
        (top, _), (left, right) = self.rows.fades(row, self.scale), self.columns.fades(column, self.scale)
        top = top[:, None]
        share: Weights = top * (left + right - 1) / (1 - top * (1 - right))
        return share


def plan(
    height: int, width: int, *, tile: int, halo: int, lattice: int = 1, scale: int = 1, fixed: bool = True
) -> Plan:
    """Cut a picture of `height` x `width` into tiles of `tile` x `tile`; all in input pixels.

    A picture smaller than a tile: with `fixed` the runner takes this one shape only, so the tile is filled up with the
    picture's reflection. To the network that is not the picture's end but more picture, so what it answers within its
    contamination distance of that side is not what it answers for the picture. Hence two tiles: one begins at the
    picture's beginning, one ends where its continuation to the lattice ends, and each answers for its own half of that;
    of a picture that lies in the first half alone there is one tile. Without `fixed` (a runner that takes any multiple
    of the lattice) the tile shrinks to the picture along that side; one tile does it, and exactly.

    Args:
        height: the picture's height, at least 1.
        width: the picture's width, at least 1.
        tile: side of the tiles, a multiple of `lattice`; 0 is the whole picture as one tile.
        halo: context around each tile's core; calibrated at export for a network, 0 for one that sees no neighbours.
        lattice: tiles start on multiples of it, and the picture is continued to a multiple of it.
        scale: output side over input side.
        fixed: every tile is exactly `tile` x `tile`, also where the picture is smaller.

    Raises:
        PlanError: the numbers do not go together. A picture within one tile has all the context there is, so any halo
            goes with it.
    """
    for name, value, least in (
        ("height", height, 1),
        ("width", width, 1),
        ("lattice", lattice, 1),
        ("scale", scale, 1),
    ):
        if value < least:
            raise PlanError(f"{name} must be at least {least}, not {value}")
    if tile < 0 or halo < 0:
        raise PlanError(f"tile and halo cannot be negative (tile {tile}, halo {halo}); tile 0 is the whole picture")
    if tile % lattice:
        raise PlanError(
            f"tile {tile} is no multiple of the network's lattice {lattice}; "
            f"the next larger is {(tile // lattice + 1) * lattice}"
        )
    if max(height, width) > tile > 0 and tile - 2 * halo < lattice:
        least = -(-(2 * halo + lattice) // lattice) * lattice
        raise PlanError(
            f"tile {tile} leaves no core of at least one lattice cell ({lattice}) between two halos of {halo}; "
            f"the tile must be at least {least}, or 0 for the whole picture"
        )
    rows, columns = (_axis(size, tile, halo, lattice, fixed) for size in (height, width))
    return Plan(rows, columns, halo, lattice, scale)


def _axis(size: int, tile: int, halo: int, lattice: int, fixed: bool) -> Axis:
    extent = -(-size // lattice) * lattice
    if tile == 0 or extent == tile or (extent < tile and not fixed):
        return Axis(size, extent, extent, (0,), (), 0)
    if extent < tile:
        if halo == 0 or size <= max(
            extent // 2, 1
        ):  # nothing beyond a rim matters, or nothing is left for a second tile
            return Axis(size, extent, tile, (0,), (), 0)
        origins: tuple[int, ...] = (0, extent - tile)
        cuts: tuple[int, ...] = (extent // 2,)
    else:
        stride = (tile - 2 * halo) // lattice * lattice
        origins = (*range(0, extent - tile, stride), extent - tile)
        cuts = tuple((first + tile + second) // 2 for first, second in pairwise(origins))
    # The fades around two cuts must not meet, and none may reach over the picture's border.
    narrowest = min(second - first for first, second in pairwise((0, *cuts, size)))
    return Axis(size, extent, tile, origins, cuts, min(halo, narrowest) // 2)


def _sine_ramp(length: int) -> Weights:
    """Rise along a sine at the centres of `length` pixels, in steps of 1/4096, never quite 0 or 1."""
    position = (np.arange(length) + 0.5) / max(length, 1) - 0.5
    steps = np.round((0.5 + 0.5 * np.sin(np.pi * position)) * _RAMP_STEPS)
    return (steps.clip(1, _RAMP_STEPS - 1) / _RAMP_STEPS).astype(np.float32)
