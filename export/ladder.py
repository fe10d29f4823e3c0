"""Which tiles a network's graphs are made for, small ones for small pictures and large ones, and with which halos."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

TILES: Final = (256, 512)
TILES_ENLARGED: Final = (192, 384)  # where the answer has 9 or 16 times the pixels: memory and patience are finite
WIDE_LATTICE: Final = 128  # tiles of 512 that start on it leave half a side to the core, and to halos 128 pixels
TILE_OF_WIDE_LATTICE: Final = 1024
_MAX_WORK = 4.0  # pixels computed for each pixel kept; a halo beyond that costs more than it is worth


def usual(scale: int, lattice: int, *, one_pass: bool) -> tuple[int, ...]:
    """The sides that suit a network; in `one_pass` a wide lattice has a large one more, worth its time and memory.

    Segments take maps of any size, so where pictures go through them the graphs serve small pictures alone.
    """
    chosen: tuple[int, ...] = TILES if scale <= 2 else TILES_ENLARGED
    return raised((*chosen, TILE_OF_WIDE_LATTICE) if one_pass and lattice >= WIDE_LATTICE else chosen, lattice)


def raised(sides: tuple[int, ...], lattice: int) -> tuple[int, ...]:
    """Sides raised to multiples of the lattice, rising."""
    return tuple(sorted({-(-side // lattice) * lattice for side in sides}))


def halos(tile: int, lattice: int, above: int = 0) -> Iterator[int]:
    """The halos worth trying, rising, of those `above` another.

    Tiles advance by whole lattices, so of all halos that leave the same stride the largest one is free.
    A tile of one lattice has no room for any: its only halo is 0.
    """
    if tile <= lattice and not above:
        yield 0
    for stride in range(tile - lattice, 0, -lattice):
        halo = (tile - stride) // 2
        if halo > above and (halo == lattice // 2 or (tile / stride) ** 2 <= _MAX_WORK):
            yield halo


def fitting(halo: int, tile: int, lattice: int) -> int:
    """A weight's halo where tiles leave room for it at a tolerable price, else the largest one that they do."""
    return min(halo, max(halos(tile, lattice)))
