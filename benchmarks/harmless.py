"""What networks do to pictures that need nothing: `python -m benchmarks.harmless [MODEL ...]`.

Every shipped network whose answer is as large as its input is given the clean test pictures, grey ones among them.
Writes benchmarks/results/harmless.json, from which the README's table takes the figures; a model that is not named
keeps its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tqdm import tqdm

from benchmarks import by_model
from models.build import load
from models.registry import Card, cards
from training.dataset import pictures
from training.evaluate import compare
from training.harm import changed
from training.picture_files import Array, read
from training.validation import restored

RESULTS: Final = Path(__file__).parent / "results" / "harmless.json"
FOLDERS: Final = ("Set5", "Set12", "Set14")  # below val/ of the data folder


def asked(shipped: Iterable[Card]) -> list[Card]:
    """The networks that take a picture and should be able to leave it as it is."""
    return [card for card in shipped if card.scale == 1 and card.pattern is None]


def measure(card: Card, shown: dict[str, Array]) -> dict[str, Any]:
    """Figures of a network's answers, in RGB, rounded to 8 bits; `shown` are clean pictures (H, W, 3) by name."""
    network = load(card)
    found = {}
    for name, picture in tqdm(shown.items(), desc=card.name, unit="picture"):
        psnr_db, *_, shift = compare(restored(network, picture, torch.device("cpu")), picture, 0)
        found[name] = (psnr_db, shift)
    least, furthest = min(found, key=lambda name: found[name][0]), max(found, key=lambda name: found[name][1])
    return {
        "version": card.version,
        "pictures": len(found),
        "mean_psnr_db": round(float(np.mean([db for db, _ in found.values()])), 2),
        "least_psnr_db": round(found[least][0], 2),
        "least_of": least,
        "shift": round(found[furthest][1], 2),
        "shift_of": furthest,
        "harmed": sum(changed(db, shift) for db, shift in found.values()),
    }


@cache
def _shown(data: Path) -> dict[str, Array]:
    folders = ((folder, pictures(data / "val" / folder)) for folder in FOLDERS)
    return {f"{folder}/{path.stem}": read(path) for folder, paths in folders for path in paths}


if __name__ == "__main__":
    by_model.main(__doc__, RESULTS, asked(cards()), lambda card, data: measure(card, _shown(data)))
