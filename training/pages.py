"""Drawn pages: text, tables, charts and slides, for networks that would otherwise know photographs alone.

To a network that has never seen a letter, thin strokes on an even ground are rain, or noise. Pages are drawn at twice
their size and halved, so that strokes have soft edges as in a scan.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]  # sRGB, 0..255
Box = tuple[int, int, int, int]  # left, top, right, bottom

SIDE: Final = 640
UNSEEN: Final = 4321  # the seed of pages to measure on; those trained on have their recipe's
_FONTS: Final = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Bold")
_FONTS_TOO: Final = ("DejaVuSerif-Italic", "DejaVuSansMono", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic")
_LETTERS: Final = "eeeeettttaaaoooiiinnnsshhrrddlluuccmmwwffggyyppbbvkjxqz"  # about as often as in English


def pages(count: int, seed: int) -> list[NDArray[np.uint8]]:
    """Draw `count` pages (640, 640, 3); the same for the same seed."""
    return [_page(np.random.default_rng((seed, number))) for number in range(count)]


def _page(random: np.random.Generator) -> NDArray[np.uint8]:
    paper, ink = _colours(random)
    sheet = Image.new("RGB", (2 * SIDE, 2 * SIDE), paper)
    draw = ImageDraw.Draw(sheet)
    across = int(random.integers(1, 4))
    for column in range(across):
        left, right = (2 * SIDE * place // across for place in (column, column + 1))
        top = int(random.integers(0, 120))
        while top < 2 * SIDE - 80:
            bottom = top + int(random.integers(120, 700))
            paint = _BLOCKS[int(random.choice(len(_BLOCKS), p=_SHARES))]
            paint(draw, (left + 30, top, right - 30, min(bottom, 2 * SIDE)), _near(ink, random), random)
            top = bottom + int(random.integers(20, 120))
    return np.asarray(sheet.reduce(2))


def _colours(random: np.random.Generator) -> tuple[Colour, Colour]:
    """Of paper and ink: mostly dark on white, at times on a tint, at times light on dark as on slides."""
    kind = random.random()
    paper, ink = (235 if kind < 0.6 else 150, 256), (0, 90)
    if kind > 0.85:
        paper, ink = (0, 90), (190, 256)
    return (255, 255, 255) if kind < 0.3 else _drawn(paper, random), _drawn(ink, random)


def _near(ink: Colour, random: np.random.Generator) -> Colour:
    """The page's ink, or at times another."""
    return ink if random.random() < 0.7 else _drawn((0, 256), random)


def _drawn(span: tuple[int, int], random: np.random.Generator) -> Colour:
    red, green, blue = random.integers(*span, 3).tolist()
    return red, green, blue


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", size)


def _words(random: np.random.Generator, count: int) -> str:
    """Nonsense of about the letters of English, with capitals, figures and stops."""
    found = []
    for _ in range(count):
        word = "".join(random.choice(list(_LETTERS), int(random.integers(1, 10))))
        kind = random.random()
        found.append(str(random.integers(10_000)) if kind < 0.08 else word.title() if kind < 0.2 else word)
    return " ".join(found) + str(random.choice(list(".,;:?!-)")))


def _text(draw: ImageDraw.ImageDraw, box: Box, ink: Colour, random: np.random.Generator) -> None:
    size = int(random.choice([18, 20, 22, 24, 26, 30, 36, 48, 72, 110]))  # twice the pixels on the page
    font = _font(str(random.choice(_FONTS + _FONTS_TOO)), size)
    pitch = size * float(random.uniform(1.15, 1.7))
    for line in range(int((box[3] - box[1]) / pitch)):
        words = _words(random, 1 + (box[2] - box[0]) // (3 * size))
        while words and draw.textlength(words, font) > box[2] - box[0]:
            words = words.rpartition(" ")[0]
        draw.text((box[0], box[1] + line * pitch), words, ink, font)


def _table(draw: ImageDraw.ImageDraw, box: Box, ink: Colour, random: np.random.Generator) -> None:
    font = _font("DejaVuSans", size := int(random.integers(16, 30)))
    rows, columns = max((box[3] - box[1]) // (2 * size), 1), int(random.integers(2, 6))
    width, thick = (box[2] - box[0]) / columns, int(random.integers(1, 5))
    for row in range(rows):
        y = box[1] + 2 * size * row
        draw.line((box[0], y, box[2], y), ink, thick)
        for column in range(columns):
            draw.text((box[0] + width * column + 8, y + size // 2), f"{random.normal(0, 50):.2f}", ink, font)
    for column in range(columns + 1):
        x = box[0] + width * column
        draw.line((x, box[1], x, box[1] + 2 * size * (rows - 1)), ink, thick)


def _chart(draw: ImageDraw.ImageDraw, box: Box, ink: Colour, random: np.random.Generator) -> None:
    left, top, right, bottom = box
    draw.line((left, top, left, bottom, right, bottom), ink, 3)
    for _ in range(int(random.integers(1, 5))):
        values = np.cumsum(random.normal(0, 1, 30))
        heights = bottom - (values - values.min()) / max(np.ptp(values), 1e-6) * (bottom - top)
        points = list(zip(np.linspace(left, right, 30).tolist(), heights.tolist(), strict=True))
        draw.line(points, _near(ink, random), int(random.integers(1, 9)))


def _bars(draw: ImageDraw.ImageDraw, box: Box, ink: Colour, random: np.random.Generator) -> None:
    """Bars upright or lying, from hatching to broad."""
    left, top, right, bottom = box
    pitch, share = int(random.choice([6, 8, 12, 20, 60, 120])), float(random.uniform(0.3, 0.7))
    if random.random() < 0.5:
        for x in range(left, right - pitch, pitch):
            draw.rectangle((x, top + int(random.integers(0, (bottom - top) // 2 + 1)), x + pitch * share, bottom), ink)
    else:
        for y in range(top, bottom - pitch, pitch):
            draw.rectangle((left, y, right - int(random.integers(0, (right - left) // 2)), y + pitch * share), ink)


def _drawing(draw: ImageDraw.ImageDraw, box: Box, ink: Colour, random: np.random.Generator) -> None:
    """Thin lines and outlines at every angle, as in plans and maps."""
    left, top, right, bottom = box
    for _ in range(int(random.integers(4, 30))):
        x0, x1 = sorted(int(value) for value in random.integers(left, right, 2))
        y0, y1 = sorted(int(value) for value in random.integers(top, bottom, 2))
        thick = int(random.integers(1, 7))
        kind = int(random.integers(3))
        if kind == 0:
            draw.line((x0, y0, x1, y1) if random.random() < 0.5 else (x0, y1, x1, y0), ink, thick)
        elif kind == 1:
            draw.ellipse((x0, y0, x1, y1), outline=_near(ink, random), width=thick)
        else:
            draw.rectangle((x0, y0, x1, y1), outline=_near(ink, random), width=thick)


def _blocks(draw: ImageDraw.ImageDraw, box: Box, ink: Colour, random: np.random.Generator) -> None:
    """Even areas beside one another, as on slides and in masks; many as dark or as light as a file can say."""
    left, top, right, bottom = box
    for _ in range(int(random.integers(2, 9))):
        x0, x1 = sorted(2 * int(value) for value in random.integers(left // 2, right // 2, 2))  # whole pixels
        y0, y1 = sorted(2 * int(value) for value in random.integers(top // 2, bottom // 2, 2))
        colour = _near(ink, random) if random.random() < 0.3 else _pure(random)
        if x0 < x1 and y0 < y1:
            draw.rectangle((x0, y0, x1 - 1, y1 - 1), colour)


def _pure(random: np.random.Generator) -> Colour:
    red, green, blue = (255 * random.integers(0, 2, 3)).tolist()
    return (red, green, blue) if random.random() < 0.5 else (red, red, red)


_BLOCKS: Final[tuple[Callable[[ImageDraw.ImageDraw, Box, Colour, np.random.Generator], None], ...]] = (
    _text,
    _table,
    _chart,
    _bars,
    _drawing,
    _blocks,
)
_SHARES: Final = (0.6, 0.12, 0.08, 0.08, 0.06, 0.06)
