"""Sheets of pictures before and after: a row for each, with its caption above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.untouched import untouched
from imaging.quality import psnr
from training.picture_files import Array

GAP, CAPTION = 10, 18  # pixels between cells, and of a line of words
COLUMNS = ("as it came", "restored", "as it should be")


@dataclass(frozen=True)
class Row:
    """One picture as it came, restored, and as it should be; each (H, W, C) in 0..1, the first perhaps smaller."""

    words: str
    degraded: Array
    answer: Array
    target: Array

    @property
    def caption(self) -> str:
        """What it is, PSNR without the network and PSNR with it."""
        done, before = untouched(self.degraded, self.target)
        gained = f"{psnr(before, self.target):.2f} dB {done}, {psnr(self.answer, self.target):.2f} dB restored"
        return f"{self.words}: {gained}"


def page(rows: Sequence[Row], width: int, height: int) -> Image.Image:
    """One sheet; of every picture the middle, width x height pixels at one to one."""
    step = CAPTION + height + GAP
    sheet = Image.new("RGB", (GAP + len(COLUMNS) * (width + GAP), GAP + len(rows) * step), "white")
    draw = ImageDraw.Draw(sheet)
    for index, row in enumerate(rows):
        top = GAP + index * step
        draw.text((GAP, top), row.caption, fill="black", font_size=12)
        for column, picture in enumerate((row.degraded, row.answer, row.target)):
            cell = _cell(picture, row.target.shape[0], width, height)
            sheet.paste(cell, (GAP + column * (width + GAP), top + CAPTION))
    return sheet


def _cell(picture: Array, target_height: int, width: int, height: int) -> Image.Image:
    """The middle of a picture; a smaller one is first enlarged by repeating pixels, a mosaic shown as it is."""
    repeat = max(target_height // picture.shape[0], 1)
    shown = np.repeat(np.repeat(picture, repeat, axis=0), repeat, axis=1)
    y, x = max(shown.shape[0] - height, 0) // 2, max(shown.shape[1] - width, 0) // 2
    middle = (shown[y : y + height, x : x + width].clip(0, 1) * 255).round().astype(np.uint8)
    return Image.fromarray(middle.squeeze(-1) if middle.shape[-1] == 1 else middle).convert("RGB")
