"""How far tiled pictures are from untiled ones, and the halo that makes the difference too small to see.

In bounded mode a tile's core is right only as far as the network's reach into the tile's rim fades out, and how fast it
fades depends on the weights. So the halo is measured for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from export import pictures
from export.figures import PSNR_CAP_DB
from export.ladder import halos
from export.manifest import Seams
from export.pictures import Picture
from export.runners import Runner
from imaging import quality, tiling
from imaging.restoration import restore
from models.network import RestorationNetwork

MAX_LSB = 0.5  # below half an LSB no value moves by more than the rounding to 8 bits does
CALIBRATED_LSB = MAX_LSB / 2  # on the few pictures of a calibration: there are always harder ones


def calibrate(
    network: RestorationNetwork,
    runner: Runner,
    tile: int,
    on_halo: Callable[[int], object] = lambda halo: None,
) -> tuple[Seams, ...]:
    """Find the smallest halo whose tiled pictures are within a quarter of an LSB of the untiled ones everywhere.

    That is half of what any picture should be within. Where none is that good at a tolerable price, the largest
    tolerable one is taken: the figures say how good it is.

    Args:
        network: the torch network; it restores the pictures whole.
        runner: the exported graph; it restores them in tiles.
        tile: the graph's tile.
        on_halo: told each halo before it is measured.

    Returns:
        The figures of every halo tried; the last one is the one to use.
    """
    tried: list[Seams] = []
    rising = list(halos(tile, network.lattice))
    for figures in measure(network, runner, tile, rising, enough_lsb=CALIBRATED_LSB, on_halo=on_halo):
        tried.append(figures)
        if figures.max_lsb < CALIBRATED_LSB:
            break
    return tuple(tried)


def calibrate_rising(
    network: RestorationNetwork, runner: Runner, ladder: Iterable[int], shown: Callable[[int], Sequence[Picture]]
) -> tuple[Seams, ...]:
    """Calibrate on the smallest tile that has room enough, where cuts are most.

    Args:
        network: see `calibrate`.
        runner: of tiles of any side.
        ladder: the tiles, rising; a further one is tried only if no halo on those before it did.
        shown: makes further pictures of so many pixels a side to measure on: damaged as the network's task has it.

    Returns:
        The figures of every halo tried; the last one is the one to use.
    """
    tried: list[Seams] = []
    for tile in ladder:
        larger = list(halos(tile, network.lattice, above=tried[-1].halo if tried else 0))
        if not larger:
            continue
        for figures in measure(network, runner, tile, larger, shown(side(tile)), enough_lsb=CALIBRATED_LSB):
            tried.append(figures)
            if figures.max_lsb < CALIBRATED_LSB:
                return tuple(tried)
    return tuple(tried)


def side(tile: int) -> int:
    """Of the pictures measured on: more than two tiles and no multiple of the lattice.

    So cuts, overlaps and the padded border all occur.
    """
    return tile + tile // 2 + 37


def measure(
    network: RestorationNetwork,
    runner: Runner,
    tile: int,
    tried: Sequence[int],
    shown: Sequence[Picture] = (),
    *,
    enough_lsb: float = math.inf,
    on_halo: Callable[[int], object] = lambda halo: None,
) -> Iterator[Seams]:
    """The figures of each halo, one after the other, on the same pictures, `shown` (of `side` pixels) among them.

    A halo that leaves one of them `enough_lsb` off or more is not tried on the rest, unless it is the last.
    """
    photographs = pictures.photographs(2, side(tile), network.in_channels)
    chosen = [*shown, *photographs, pictures.dead_leaves(side(tile), network.in_channels)]
    untiled: list[Picture] = []
    for halo in tried:
        on_halo(halo)
        figures: list[quality.Seams] = []
        for index, picture in enumerate(chosen):
            if index == len(untiled):
                untiled.append(whole(network, picture))
            figures.append(_compare(network, runner, tile, halo, picture, untiled[index]))
            if figures[-1].max_lsb >= enough_lsb and halo != tried[-1]:
                break
        yield _worst(figures, tile=tile, halo=halo, photographs=bool(photographs))


def whole(network: RestorationNetwork, picture: Picture) -> NDArray[np.float32]:
    """The reference: the whole picture (H, W, C) at once through torch, (scale * H, scale * W, C')."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        restored = network(torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()).to(device))
    return restored[0].permute(1, 2, 0).float().cpu().numpy()  # type: ignore[no-any-return]


def _compare(
    network: RestorationNetwork, runner: Runner, tile: int, halo: int, picture: Picture, untiled: Picture
) -> quality.Seams:
    height, width, _ = picture.shape
    plan = tiling.plan(height, width, tile=tile, halo=halo, lattice=network.lattice, scale=network.scale)
    return quality.seams(restore(picture, runner, plan), untiled, plan.row_cuts, plan.column_cuts)


def _worst(figures: list[quality.Seams], *, tile: int, halo: int, photographs: bool) -> Seams:
    return Seams(
        tile=tile,
        halo=halo,
        pictures=len(figures),
        photographs=photographs,
        max_lsb=max(one.max_lsb for one in figures),
        p999_lsb=max(one.p999_lsb for one in figures),
        equal_8bit=min(one.equal for one in figures),
        psnr_db=min(PSNR_CAP_DB, *(one.psnr_db for one in figures)),
        jump=max((one.jump for one in figures), key=lambda jump: abs(jump - 1)),
    )
