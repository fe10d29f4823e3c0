"""What networks do to pictures that need nothing: `python -m benchmarks.harmless [MODEL ...]`.

Every shipped network whose answer is as large as its input is given the clean test pictures, grey ones among them.
Writes benchmarks/results/harmless.json, from which the README's table takes the figures; a model that is not named
keeps its own.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from tqdm import tqdm

from benchmarks import data_folder
from models.build import load
from models.registry import Card, cards
from training.dataset import pictures
from training.evaluate import compare
from training.harm import LARGEST_SHIFT, LEAST_DB
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
        "harmed": sum(db < LEAST_DB or shift >= LARGEST_SHIFT for db, shift in found.values()),
    }


def stored() -> dict[str, Any]:
    """Figures by model, as measured last."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def _read(data: Path) -> Iterator[tuple[str, Array]]:
    for folder in FOLDERS:
        for path in pictures(data / "val" / folder):
            yield f"{folder}/{path.stem}", read(path)


def main() -> None:
    """Measure the named models, or all, and store their figures one by one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="MODEL", help="only these models (default all)")
    arguments = data_folder.parsed(parser)
    known = {card.name: card for card in asked(cards())}
    if unknown := [name for name in arguments.models if name not in known]:
        parser.error(f"{', '.join(unknown)}: not one of {', '.join(known)}")
    shown = dict(_read(arguments.data))
    for name in arguments.models or known:
        figures = measure(known[name], shown)
        RESULTS.write_text(json.dumps(stored() | {name: figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
