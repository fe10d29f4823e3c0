"""Exact restoration of pictures of any size: tile by tile through each segment of a network, its maps kept in between.

With its halo a tile's core is what the untiled network computes, to rounding (`imaging.stages`). Nothing is blended.
What happens in between, and when, is `imaging.flow`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from imaging.flow import Array, Flow, Pace, Rows, Run
from imaging.stages import Layout
from imaging.strip import Budget


def restore(
    image: Array,
    runs: Mapping[str, Run],
    layout: Layout,
    *,
    batch: int = 1,
    in_channels: int | None = None,
    on_progress: Callable[[int, int], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Array:
    """Restore a picture in memory; arguments, result and errors are those of `imaging.restoration.restore`.

    `runs` computes each stage by its name.
    """
    height, width, channels = image.shape
    if (height, width) != (layout.height, layout.width):
        raise ValueError(
            f"the layout is for {layout.width} x {layout.height} pixels, the picture has {width} x {height}"
        )
    restored = stream(
        lambda top, bottom: image[top:bottom],
        runs,
        layout,
        batch=batch,
        channels=channels,
        in_channels=in_channels,
        on_progress=on_progress,
        cancelled=cancelled,
    )
    result: Array | None = None
    top = 0
    for part in restored:
        if result is None:
            height, width = layout.height * layout.scale, layout.width * layout.scale
            result = np.empty((height, width, part.shape[2]), dtype=part.dtype)
        result[top : top + len(part)] = part
        top += len(part)
    assert result is not None  # a picture has at least one row
    return result


def stream(
    rows: Rows,
    runs: Mapping[str, Run],
    layout: Layout,
    *,
    batch: int = 1,
    channels: int,
    in_channels: int | None = None,
    on_progress: Callable[[int, int], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
    budget: Budget | None = None,
) -> Iterator[Array]:
    """Restore a picture that is read and written by rows; memory grows with its width only.

    Args:
        rows: reads the picture, float32, values 0..1; asked for one row after the other.
        runs: computes each stage by its name; raises MemoryError when a batch is too much.
        layout: made for this picture's size.
        batch: tiles per call at most; halved whenever memory runs out, which changes no pixel.
        channels: the picture's.
        in_channels: the network's, where it differs: a grey picture comes back as the mean of three channels.
        on_progress: called with (tiles done, tiles in all); a tile is done with a pass through all stages, on average.
        cancelled: asked before each batch.
        budget: memory for the maps, 512 MiB unless given.

    Yields:
        The restored rows from the top, (rows, scale * W, C') float32, not clipped.

    Raises:
        ValueError: `rows` gives others than were asked for, the network takes other channels, or `batch` is below 1.
        Cancelled, OutOfMemory, InvalidResult: as `imaging.restoration.restore`.
    """
    in_channels = channels if in_channels is None else in_channels
    if channels not in (1, in_channels):
        raise ValueError(f"the network takes {in_channels} channels, the picture has {channels}")
    if batch < 1:
        raise ValueError(f"at least one tile at once, not {batch}")
    flow = Flow(
        rows,
        runs,
        layout,
        Pace(len(layout), sum(map(len, layout.plans)), batch, on_progress, cancelled),
        in_channels,
        budget,
    )
    height, width, done = layout.height * layout.scale, layout.width * layout.scale, 0
    try:
        for restored in flow.restored():
            kept = restored[: height - done, :width]
            done += len(kept)
            if len(kept):
                yield kept.mean(axis=2, keepdims=True) if channels < in_channels else kept
    finally:
        flow.close()
