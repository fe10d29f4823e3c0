"""How a picture is to be restored by a network: whole, exactly tile by tile, or in one pass with a halo.

A `Layout` takes the picture through the network's segments: exact, and whole where one tile holds all of it. A `Plan`
takes tiles through the whole network in one pass: exact where there is nothing to cut, else bounded by the halo that
was calibrated at export (for half an LSB, where tiles leave room for it). TensorRT's engines are made for whole tiles,
so there the one pass is the default; so it is where an artifact has no segments, as those in half precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Literal

from export.manifest import ENGINES, Manifest
from export.staged import Staged
from imaging import mosaic, tiling
from imaging.errors import PlanError
from imaging.stages import Layout
from imaging.tiling import Plan
from service.catalogue import Artifact

TILE_UNIT_PIXELS: Final = 256 * 256

Course = Plan | Layout
Mode = Literal["whole", "staged", "bounded"]


def mode(course: Course) -> Mode:
    """What a course amounts to; all but `bounded` is exact.

    One tile that is filled up is not the whole picture: to the network more picture follows where the picture ends.
    """
    if isinstance(course, Layout):
        return "whole" if len(course) == 1 else "staged"
    filled = any(axis.extent < axis.tile for axis in (course.rows, course.columns))
    return "bounded" if filled or len(course) > 1 else "whole"


def tile_units(course: Course) -> float:
    """What a course costs: pixels run through the network, halos included, in units of 256 x 256."""
    if isinstance(course, Layout):
        height, width = course.extent
        return course.work * height * width / TILE_UNIT_PIXELS
    height, width = course.tile_shape
    return len(course) * height * width / TILE_UNIT_PIXELS


def in_segments(artifact: Artifact, backend: str) -> Staged | None:
    """The segments that a backend takes pictures through; None where it takes whole tiles."""
    return None if backend in ENGINES else artifact.staged


def chart(
    artifact: Artifact,
    height: int,
    width: int,
    *,
    backend: str | None = None,
    tile: int | None = None,
    halo: int | None = None,
    pattern: str | None = None,
) -> Course:
    """Choose the course of a picture of `height` x `width`: exact, unless a halo is asked for or there are no segments.

    Args:
        artifact: the network's.
        height: the picture's, in pixels.
        width: the picture's, in pixels.
        backend: the runtime; by default the manifest's first.
        tile: longest side of a tile, or 0 for the whole picture at once; by default whatever is the least work.
        halo: asks for one pass with this halo; by default exact, or with the manifest's.
        pattern: of a mosaic, by default the manifest's; another one is begun a row or column earlier.

    Raises:
        PlanError: tile and halo do not go together, or the runtime has no such tile.
    """
    manifest = artifact.manifest
    backend = backend or manifest.backends[0]
    segments = in_segments(artifact, backend)
    if segments and halo is None:
        rows, columns = mosaic.offset(pattern, manifest.pattern)
        sides = height + rows, width + columns
        course = segments.layout(*sides, tile)
        for side in manifest.tiles:
            if course.extent == (side, side) and tile in (None, side):  # pictures of one tile share batches
                return cut(manifest, height, width, tile=side, halo=0, pattern=pattern)
        return course
    return cut(manifest, height, width, tile=tile, halo=halo, pattern=pattern, fixed=backend != "torch")


def cut(
    manifest: Manifest,
    height: int,
    width: int,
    *,
    tile: int | None = None,
    halo: int | None = None,
    pattern: str | None = None,
    fixed: bool = True,
) -> Plan:
    """Plan a picture's tiles for a network.

    Args:
        manifest: the network's.
        height: the picture's, in pixels.
        width: the picture's, in pixels.
        tile: one of the manifest's tiles, or 0 for the whole picture at once; by default the one of least work.
        halo: by default the manifest's.
        pattern: of a mosaic, by default the manifest's; another one is begun a row or column earlier.
        fixed: the runner takes the manifest's tiles only, not any multiple of the lattice.

    Raises:
        PlanError: tile and halo do not go together, or the runner has no such tile.
    """
    if fixed and tile is not None and tile not in manifest.tiles:
        offered = ", ".join(map(str, manifest.tiles))
        whole = " (tile 0, the whole picture at once, needs segments or the torch backend)" if tile == 0 else ""
        raise PlanError(f"{manifest.name} was exported for tiles of {offered}, not of {tile}{whole}")
    halo = manifest.halo if halo is None else halo
    rows, columns = mosaic.offset(pattern, manifest.pattern)
    height, width = height + rows, width + columns

    def planned(side: int, around: int) -> Plan:
        return tiling.plan(
            height, width, tile=side, halo=around, lattice=manifest.lattice, scale=manifest.scale, fixed=fixed
        )

    if tile is not None:
        return planned(tile, halo)

    def candidates() -> Iterator[Plan]:
        extents = {-(-side // manifest.lattice) * manifest.lattice for side in (height, width)}
        for side in manifest.tiles:
            with suppress(PlanError):  # a small tile may have no core inside the halo: it serves small pictures only
                # A picture that is exactly one tile has no cut, hence needs no halo.
                yield planned(side, 0 if extents == {side} else halo)

    plans = list(candidates())
    return min(plans, key=tile_units) if plans else planned(manifest.tiles[-1], halo)
