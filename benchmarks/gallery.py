"""Before/after sheets of every model, from public pictures that are never trained on: `python -m benchmarks.gallery`.

Reads the pictures of the data folder as the recipes' validation sets degrade them, restores them, and writes one sheet
per model into gallery/ (which is not committed). `make gallery` draws the README's sample first (benchmarks/sample.py).
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import torch
from PIL import Image

from benchmarks import data_folder
from benchmarks.sheets import Row, page
from models.build import load
from models.registry import Card, cards
from training.recipe import Recipe
from training.validation import examples, restored

SIDE = 320  # pixels of a cell of the sheet
PER_SET = 2


def sheet(card: Card, recipe: Recipe, data: Path) -> Image.Image:
    """The first pictures of each of the recipe's sets that show damage, and what the card's network makes of them."""
    network = load(card)
    rows = [
        Row(
            f"{card.task}, {chosen.name}, {example.name}",
            example.degraded,
            restored(network, example.degraded, torch.device("cpu")),
            example.target,
        )
        for chosen in recipe.validation
        if not chosen.clean
        for example in islice(examples(recipe, chosen, data), PER_SET)
    ]
    return page(rows, SIDE, SIDE)


def main() -> None:
    """Write a sheet for every shipped model."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gallery", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("gallery"), help="where to write (default: gallery)")
    arguments = data_folder.parsed(parser)
    arguments.folder.mkdir(exist_ok=True)
    for card in cards():
        path = arguments.folder / f"{card.name}.png"
        sheet(card, Recipe.named(card.recipe), arguments.data).save(path)
        print(path)


if __name__ == "__main__":
    main()
