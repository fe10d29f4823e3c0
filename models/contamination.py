"""How far a cut through a picture is felt: from what each layer declares to the lattice and the halo of a network.

A tile sees nothing beyond its rim, so its answer is wrong there. The contamination c is the distance from a cut to the
first correct pixel. It begins at 0, on a cut that lies on the lattice, and every layer carries it on by its own rule,
from its kind, size and offset alone. Both sides of a cut are followed, on both axes; what counts is the larger.

Nothing here computes with pixels, and nothing loads torch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm
from typing import Protocol

Size = tuple[int, int]


@dataclass(frozen=True)
class Edge:
    """One side of a cut on one axis.

    Attributes:
        axis: 0 for cuts between rows, 1 for cuts between columns.
        before: the tile ends at the cut; otherwise it begins there.
    """

    axis: int
    before: bool


EDGES = tuple(Edge(axis, before) for axis in (0, 1) for before in (False, True))
Distances = tuple[int, ...]  # one for each of EDGES, in pixels of the current map


class Layer(Protocol):
    """What a layer of a network declares; all lengths in pixels of the map that it takes."""

    @property
    def shrinks(self) -> Fraction:
        """Side of the map taken over side of the map given."""
        ...

    def spread(self, distance: int, edge: Edge) -> int:
        """Distance of the first correct pixel from the cut after this layer, from that before it."""
        ...

    def pitch(self, axis: int) -> Fraction:
        """Cuts have to lie on multiples of it."""
        ...


class _SameSize:
    """A layer that keeps the map's size."""

    @property
    def shrinks(self) -> Fraction:
        """1."""
        return Fraction(1)

    def pitch(self, axis: int) -> Fraction:
        """Any pixel will do."""
        return Fraction(1)


@dataclass(frozen=True)
class Conv(_SameSize):
    """A convolution, or whatever else reads the pixels at most `radius` away on each axis."""

    radius: int

    def spread(self, distance: int, edge: Edge) -> int:
        """Add the radius: c + r."""
        return distance + self.radius


@dataclass(frozen=True)
class Window(_SameSize):
    """Attention, or anything else, inside windows whose borders lie at `offset` + multiples of `size`.

    Both are one number, or (h, w). Also absolute cells (a grid, a sort), and a window's dictionary with all layers
    that share it. A window that reaches over the cut, or into what is wrong, is wrong as a whole.
    """

    size: int | Size
    offset: int | Size = 0

    def spread(self, distance: int, edge: Edge) -> int:
        """Go on to the next border: o + ceil((c - o) / M) * M."""
        size, offset = _along(self.size, edge.axis), _along(self.offset, edge.axis)
        offset = -offset % size if edge.before else offset
        return offset + ceil((distance - offset) / size) * size

    def pitch(self, axis: int) -> Fraction:
        """The window's side."""
        return Fraction(_along(self.size, axis))


@dataclass(frozen=True)
class Overlapping(_SameSize):
    """Attention inside cells of `size` that begin at every half of it, and whose answers are faded into one another."""

    size: int

    def spread(self, distance: int, edge: Edge) -> int:
        """On to the end of the last cell that begins before c: (ceil(c / h) + 1) * h, h being half a cell."""
        half = self.size // 2
        return (ceil(distance / half) + 1) * half

    def pitch(self, axis: int) -> Fraction:
        """Half a cell: one more or one less, and the two rows of cells change places."""
        return Fraction(self.size // 2)


@dataclass(frozen=True)
class Reach(Window):
    """Attention among whole windows at most `reach` - 1 windows apart on each axis."""

    reach: int | Size = 1

    def spread(self, distance: int, edge: Edge) -> int:
        """A window's step, then (P - 1) * M."""
        return super().spread(distance, edge) + (_along(self.reach, edge.axis) - 1) * _along(self.size, edge.axis)


@dataclass(frozen=True)
class Pool(_SameSize):
    """Means over cells of `size`, smoothed over `radius` cells to each side and interpolated linearly in between."""

    size: int
    radius: int = 1

    def spread(self, distance: int, edge: Edge) -> int:
        """The cell's step, then the smoothing's cells, then half a cell for the interpolation."""
        return (ceil(distance / self.size) + self.radius) * self.size + self.size // 2

    def pitch(self, axis: int) -> Fraction:
        """The cell's side."""
        return Fraction(self.size)


@dataclass(frozen=True)
class Down:
    """Every `factor` pixels become one: pixel-unshuffle, or a stride (its taps beyond those pixels are a Conv)."""

    factor: int

    @property
    def shrinks(self) -> Fraction:
        """The factor."""
        return Fraction(self.factor)

    def spread(self, distance: int, edge: Edge) -> int:
        """Shrink along: ceil(c / s)."""
        return ceil(distance / self.factor)

    def pitch(self, axis: int) -> Fraction:
        """Whole blocks."""
        return Fraction(self.factor)


@dataclass(frozen=True)
class Up:
    """Every pixel becomes `factor` x `factor`: pixel-shuffle, nearest neighbour, transposed convolution of stride s."""

    factor: int

    @property
    def shrinks(self) -> Fraction:
        """One over the factor."""
        return Fraction(1, self.factor)

    def spread(self, distance: int, edge: Edge) -> int:
        """Grow along: s * c."""
        return distance * self.factor

    def pitch(self, axis: int) -> Fraction:
        """Any pixel will do."""
        return Fraction(1)


Chain = tuple[Layer, ...]


class Parallel:
    """Branches of the same map, joined again: a skip is the empty branch. All end at the same size."""

    def __init__(self, *branches: Chain) -> None:
        sizes = {shrinkage(branch) for branch in branches}
        if len(sizes) != 1:
            raise ValueError(f"parallel branches end at different sizes: 1/{', 1/'.join(map(str, sorted(sizes)))}")
        self.branches = branches

    @property
    def shrinks(self) -> Fraction:
        """That of every branch."""
        return shrinkage(self.branches[0])

    def spread(self, distance: int, edge: Edge) -> int:
        """The largest of all branches."""
        return max(_through(branch, distance, edge) for branch in self.branches)

    def pitch(self, axis: int) -> Fraction:
        """Whatever suits every branch."""
        return common(_pitch(branch, axis) for branch in self.branches)


def shrinkage(chain: Chain) -> Fraction:
    """Side of the first map over side of the last one."""
    factor = Fraction(1)
    for layer in chain:
        factor *= layer.shrinks
    return factor


def spread(chain: Chain, distances: Distances) -> Distances:
    """Carry contamination through the layers of a chain; pixels of its first map in, of its last map out."""
    return tuple(_through(chain, distance, edge) for distance, edge in zip(distances, EDGES, strict=True))


def lattice(chain: Chain, step: Fraction = Fraction(1)) -> int:
    """Cuts on multiples of so many picture pixels divide no window; the chain begins on a map of `step` pixels each."""
    pitches = (_pitch(chain, axis) * step for axis in (0, 1))
    return int(common([Fraction(1), *pitches]))


def common(pitches: Iterable[Fraction]) -> Fraction:
    """Smallest common multiple of fractions."""
    result = Fraction(0)
    for pitch in pitches:
        whole = lcm(result.denominator, pitch.denominator)
        result = Fraction(lcm(int(result * whole), int(pitch * whole)), whole) if result else pitch
    return result


def _along(lengths: int | Size, axis: int) -> int:
    return lengths if isinstance(lengths, int) else lengths[axis]


def _through(chain: Chain, distance: int, edge: Edge) -> int:
    for layer in chain:
        distance = layer.spread(distance, edge)
    return distance


def _pitch(chain: Chain, axis: int) -> Fraction:
    """In pixels of the chain's first map."""
    pitches, step = [Fraction(1)], Fraction(1)
    for layer in chain:
        pitches.append(layer.pitch(axis) * step)
        step *= layer.shrinks
    return common([*pitches, step])
