"""`make gallery`: before/after sheets of every task, from public pictures that are never trained on.

Reads the pictures of $UNSEAM_DATA as the recipes' validation sets degrade them, restores them, and writes one sheet per
model into gallery/ (which is not committed).
"""

from __future__ import annotations

import os
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from imaging.quality import psnr
from models.build import load
from models.registry import Card, cards
from training.picture_files import Array
from training.recipe import Recipe
from training.validation import examples, restored

SIDE = 320  # pixels of a cell of the sheet
PER_SET = 2


def sheet(card: Card, data: Path) -> Image.Image:
    """A row per picture: as it came, restored, as it should be; crops at one to one, from the picture's middle."""
    network, recipe = load(card), Recipe.named(card.recipe)
    rows = [
        (chosen.name, example, restored(network, example.degraded, torch.device("cpu")))
        for chosen in recipe.validation
        if not chosen.clean
        for example in islice(examples(recipe, chosen, data), PER_SET)
    ]
    page = Image.new("RGB", (3 * SIDE + 40, len(rows) * (SIDE + 34) + 10), "white")
    draw = ImageDraw.Draw(page)
    for index, (name, example, answer) in enumerate(rows):
        top = 10 + index * (SIDE + 34)
        caption = f"{card.task}, {name}, {example.name}: {psnr(answer, example.target):.2f} dB restored"
        draw.text((10, top), caption, fill="black")
        for column, picture in enumerate((example.degraded, answer, example.target)):
            page.paste(_cell(picture, example.target.shape[0]), (10 + column * (SIDE + 10), top + 16))
    return page


def _cell(picture: Array, target_height: int) -> Image.Image:
    """The middle of a picture; a smaller one is first enlarged by repeating pixels, a mosaic shown as it is."""
    repeat = max(target_height // picture.shape[0], 1)
    shown = np.repeat(np.repeat(picture, repeat, axis=0), repeat, axis=1)
    y, x = (max(side - SIDE, 0) // 2 for side in shown.shape[:2])
    middle = (shown[y : y + SIDE, x : x + SIDE].clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(middle.squeeze(-1) if middle.shape[-1] == 1 else middle).convert("RGB")


if __name__ == "__main__":
    if "UNSEAM_DATA" not in os.environ:
        sys.exit("gallery: name the folder of the public pictures with UNSEAM_DATA")
    folder = Path("gallery")
    folder.mkdir(exist_ok=True)
    for shipped in cards():
        path = folder / f"{shipped.name}.png"
        sheet(shipped, Path(os.environ["UNSEAM_DATA"])).save(path)
        print(path)
