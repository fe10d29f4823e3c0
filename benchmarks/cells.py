"""Can the borders of a network's cells be seen in what it restores? `python -m benchmarks.cells [MODEL ...]`.

Tiled pictures are the untiled network's, so nothing that compares these can see a seam of the network's own. Networks
attend inside cells, whose borders are counted from the picture's corner (docs/adr/0001): the same picture without its
first rows has its borders elsewhere, and where a border makes a step, the two answers differ.

Writes benchmarks/results/cells.json, from which the README's table takes the figures; a model that is not named keeps
its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tqdm import tqdm

from benchmarks import by_model
from models.build import load
from models.network import RestorationNetwork
from models.registry import Card, cards
from models.segments import SegmentedNetwork, stages
from training.picture_files import Array
from training.recipe import Recipe
from training.validation import examples, restored

RESULTS: Final = Path(__file__).parent / "results" / "cells.json"
SIDE_PX: Final = 12  # pixels on either side of a border whose means are compared
RUN_PX: Final = 32  # along the border
FIRST_PX: Final = 128  # from the picture's own border, where answers differ because of that
PICTURES: Final = 6  # the first of each validation set

Restore = Callable[[Array], Array]


def pitch(network: RestorationNetwork) -> int:
    """Pixels between one border of a network's cells and the next; cells that overlap by half have twice that side."""
    assert isinstance(network, SegmentedNetwork)
    return max(stage.lattice for stage in stages(network))


def steps(restore: Restore, picture: Array, pitch: int) -> tuple[Array, Array]:
    """How much brighter one side of a line is than the other, beyond what it is with the borders half a pitch off.

    Args:
        restore: the network.
        picture: (H, W, C), values 0..1.
        pitch: as the function of that name has it.

    Returns:
        absolute differences, 0..255, for each run of 32 pixels of rows that are borders, and of rows a quarter of the
        pitch below them.
    """
    half = pitch // 2
    whole, moved = (restore(part).mean(-1) * 255 for part in (picture, picture[half:]))

    def along(at: int) -> Array:
        rows = range(-(-FIRST_PX // pitch) * pitch + at, len(whole) - SIDE_PX + 1, pitch)
        found = [_runs(_step(whole, row) - _step(moved, row - half)) for row in rows]
        return np.abs(np.concatenate(found)) if found else np.empty(0, np.float32)

    return along(0), along(pitch // 4)


def _step(answer: Array, row: int) -> Array:
    """Mean below a row less the mean above it, for every column."""
    difference: Array = answer[row : row + SIDE_PX].mean(0) - answer[row - SIDE_PX : row].mean(0)
    return difference


def _runs(values: Array) -> Array:
    count = len(values) // RUN_PX
    means: Array = values[: count * RUN_PX].reshape(count, RUN_PX).mean(1)
    return means


def asked(shipped: Iterable[Card]) -> list[Card]:
    """The networks whose cells are wide enough to be seen as such, and whose answer is as large as the picture."""
    alike = (card for card in shipped if card.scale == 1 and card.pattern is None)
    return [card for card in alike if pitch(load(card)) >= 4 * SIDE_PX]


def measure(card: Card, data: Path) -> dict[str, Any]:
    """95th percentiles of `steps` on every validation set."""
    network, recipe = load(card), Recipe.named(card.recipe)
    apart = pitch(network)

    def restore(picture: Array) -> Array:
        return restored(network, picture, torch.device("cpu"))

    found = {}
    for chosen in tqdm(recipe.validation, desc=card.name, unit="set"):
        shown = (example.degraded for example in islice(examples(recipe, chosen, data), PICTURES))
        both = zip(*(steps(restore, picture, apart) for picture in _both_ways(shown)), strict=True)
        at_borders, elsewhere = (round(float(np.quantile(np.concatenate(part), 0.95)), 2) for part in both)
        found[chosen.name] = {"borders": at_borders, "elsewhere": elsewhere}
    return {"version": card.version, "pitch": apart, "sets": found}


def _both_ways(shown: Iterable[Array]) -> Iterator[Array]:
    """Each picture as it is, and with rows and columns exchanged: borders run both ways."""
    for picture in shown:
        yield picture
        yield np.ascontiguousarray(picture.transpose(1, 0, 2))


if __name__ == "__main__":
    by_model.main(__doc__, RESULTS, asked(cards()), measure)
