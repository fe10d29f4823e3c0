"""The algorithm of this product: read tiles, run the network on batches of equal tiles, assemble the picture.

`restore(image, run, plan)` is all of it, for the command line, the embedded server and the GPU worker alike. What `run`
is (ONNX Runtime, TensorRT, torch, or identity in the tests) it does not know.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from imaging import mosaic
from imaging.errors import Cancelled, InvalidResult, OutOfMemory
from imaging.tiling import Plan

Array = NDArray[np.float32]
Run = Callable[[Array], Array]


def restore(
    image: Array,
    run: Run,
    plan: Plan,
    *,
    batch: int = 1,
    in_channels: int | None = None,
    on_progress: Callable[[int, int], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Array:
    """Restore a picture tile by tile.

    Args:
        image: (H, W, C) float32, values 0..1; only read, a tile at a time.
        run: the network, (N, C, T, T) float32 -> (N, C', scale * T, scale * T); raises MemoryError when N is too much.
        plan: made for this picture's size.
        batch: tiles per call of `run` at most; halved whenever memory runs out, which changes no pixel.
        in_channels: channels that `run` takes, if not the picture's own. A grey picture (C = 1) goes through a colour
            network as three equal channels and comes back as their mean: grey stays grey.
        on_progress: called with (tiles done, tiles in all) before the first batch and after each.
        cancelled: asked before each batch.

    Returns:
        (scale * H, scale * W, C') float32, not clipped.

    Raises:
        ValueError: the picture has another size or other channels than plan and network, or `batch` is below 1.
        Cancelled: `cancelled` said so.
        OutOfMemory: not even one tile fits.
        InvalidResult: `run` answered with the wrong shape or with values that are not finite.
    """
    in_channels = image.shape[2] if in_channels is None else in_channels
    _check(image, plan, in_channels)
    if batch < 1:
        raise ValueError(f"at least one tile at once, not {batch}")
    restored: Array | None = None
    tiles, done = plan.positions, 0
    while done < len(tiles):
        if on_progress:
            on_progress(done, len(tiles))
        if cancelled and cancelled():
            raise Cancelled(f"cancelled after {done} of {len(tiles)} tiles")
        positions = tiles[done : done + batch]
        answers = _attempt(run, read(image, plan, positions, in_channels), plan)
        if answers is None:
            batch = len(positions) // 2
            if batch == 0:
                height, width = plan.tile_shape
                raise OutOfMemory(
                    f"a single tile of {width} x {height} pixels does not fit in memory; use smaller tiles"
                )
            continue
        if image.shape[2] < in_channels:
            answers = answers.mean(axis=1, keepdims=True)
        if restored is None:
            shape = plan.height * plan.scale, plan.width * plan.scale, answers.shape[1]
            restored = np.zeros(shape, dtype=np.float32)
        for position, answer in zip(positions, answers, strict=True):
            _assemble(restored, answer, plan, position)
        done += len(positions)
    if on_progress:
        on_progress(done, len(tiles))
    assert restored is not None  # a plan has at least one tile
    return restored


def _check(image: Array, plan: Plan, in_channels: int) -> None:
    height, width, channels = image.shape
    if (height, width) != (plan.height, plan.width):
        raise ValueError(f"the plan is for {plan.width} x {plan.height} pixels, the picture has {width} x {height}")
    if channels not in (1, in_channels):
        raise ValueError(f"the network takes {in_channels} channels, the picture has {channels}")


def read(
    image: Array,
    plan: Plan,
    positions: list[tuple[int, int]],
    in_channels: int,
    *,
    begun: tuple[int, int] = (0, 0),
) -> Array:
    """Tiles at `positions` as `run` takes them: (N, in_channels, T, T), contiguous; beyond the picture, reflected.

    Of a mosaic, `plan` may be for the one that is begun so many rows and columns earlier (`mosaic.begun_earlier`).
    """
    height, width = image.shape[:2]
    batch = np.empty((len(positions), in_channels, *plan.tile_shape), dtype=np.float32)
    for tile, (row, column) in zip(batch, positions, strict=True):
        rows = mosaic.places(plan.rows.source(row), begun[0], height)
        columns = mosaic.places(plan.columns.source(column), begun[1], width)
        pixels = _pick(image, rows, columns)
        tile[:] = pixels.transpose(2, 0, 1)  # one grey channel spreads over all of in_channels
    return batch


def _pick(image: Array, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Array:
    """Rows and columns of a picture by number: a view, except where some are read twice, by reflection."""
    top, left = rows.min(), columns.min()
    part = image[top : rows.max() + 1, left : columns.max() + 1]
    if rows[-1] - rows[0] == rows.size - 1 and columns[-1] - columns[0] == columns.size - 1:
        return part
    return part[np.ix_(rows - top, columns - left)]


def _attempt(run: Run, tiles: Array, plan: Plan) -> Array | None:
    """What `run` answers, checked; None where memory ran out (and by returning, what was held is let go)."""
    try:
        answers = run(tiles)
    except MemoryError:
        return None
    expected = (len(tiles), *(side * plan.scale for side in plan.tile_shape))
    if answers.ndim != 4 or (len(answers), *answers.shape[2:]) != expected:
        raise InvalidResult(f"for {tiles.shape} the runner answered {answers.shape}; the plan's scale is {plan.scale}")
    if not np.isfinite(answers).all():
        raise InvalidResult("the runner answered with values that are not finite numbers")
    return answers


def _assemble(restored: Array, answer: Array, plan: Plan, position: tuple[int, int]) -> None:
    """Blend one tile's answer (C', scale * T, scale * T) into the picture, in place."""
    row, column = position
    top, bottom = (edge * plan.scale for edge in plan.rows.reach(row))
    left, right = (edge * plan.scale for edge in plan.columns.reach(column))
    y, x = plan.rows.origins[row] * plan.scale, plan.columns.origins[column] * plan.scale
    core = answer[:, top - y : bottom - y, left - x : right - x].transpose(1, 2, 0)
    target = restored[top:bottom, left:right]
    target += (core - target) * plan.gain(row, column)[..., None]
