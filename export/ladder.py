"""Which tiles a network's graphs are made for, from small ones for small pictures to large ones for little overlap."""

from __future__ import annotations

from typing import Final

TILES: Final = (256, 512)
TILES_ENLARGED: Final = (192, 384)  # where the answer has 9 or 16 times the pixels: memory and patience are finite
WIDE_LATTICE: Final = 128  # tiles of 512 that start on it leave half a side to the core, and to halos 128 pixels
TILE_OF_WIDE_LATTICE: Final = 1024


def usual(scale: int, lattice: int, *, one_pass: bool) -> tuple[int, ...]:
    """The sides that suit a network; in `one_pass` a wide lattice has a large one more, worth its time and memory.

    Segments take maps of any size, so where pictures go through them the graphs serve small pictures alone.
    """
    chosen: tuple[int, ...] = TILES if scale <= 2 else TILES_ENLARGED
    return raised((*chosen, TILE_OF_WIDE_LATTICE) if one_pass and lattice >= WIDE_LATTICE else chosen, lattice)


def raised(sides: tuple[int, ...], lattice: int) -> tuple[int, ...]:
    """Sides raised to multiples of the lattice, rising."""
    return tuple(sorted({-(-side // lattice) * lattice for side in sides}))
