"""What an export is measured on: photographs where there are some, generated pictures otherwise, and noise."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.float32]

_SUFFIXES = {".jpg", ".jpeg", ".png"}
_DROPS, _FALL = 0.002, 40  # a streak of so many pixels begins at every 500th
_BLUR = 4  # radius of the disc a point out of focus becomes, in pixels


def photographs(count: int, side: int, channels: int) -> list[Picture]:
    """Up to `count` centre crops (side, side, channels), values 0..1, from `$UNSEAM_DATA`; [] where it is not set.

    They are large enough, and evenly spread over the folder's pictures in order of name.
    """
    folder = os.environ.get("UNSEAM_DATA")
    if not folder or not Path(folder).is_dir():
        return []
    paths = [path for path in sorted(Path(folder).rglob("*")) if path.suffix.lower() in _SUFFIXES]
    chosen: dict[Path, None] = {}
    for place in range(count):
        # Only as many are opened as it takes: the folder may hold thousands.
        onwards = (path for path in paths[place * len(paths) // count :] if path not in chosen and _holds(path, side))
        chosen.update(dict.fromkeys(islice(onwards, 1)))
    return [_centre(path, side, channels) for path in chosen]


def described(side: int, channels: int) -> str:
    """What graphs for tiles of this side, the first of their ladder, are compared on here, in words."""
    if photographs(1, side, channels):
        return "a photograph, a generated picture and noise"
    return f"generated pictures and noise: UNSEAM_DATA has no photograph of {side} pixels"


def dead_leaves(side: int, channels: int, seed: int = 0) -> Picture:
    """A picture (side, side, channels) of discs that hide one another, values 0..1.

    Discs of every size (radii with density r^-3) give it the edges, flat regions and scale invariance of natural
    pictures (Lee, Mumford and Huang 2001, "Occlusion models for natural images"); a little noise gives it grain.
    """
    random = np.random.default_rng(seed)
    picture = np.full((side, side, channels), 0.5, dtype=np.float32)
    smallest, largest = 2.0, side / 3
    for _ in range(4 * side):
        # Inverse of the distribution function of r^-3 between the two radii.
        share = random.random()
        radius = (smallest**-2 + share * (largest**-2 - smallest**-2)) ** -0.5
        y, x = random.random(2) * side
        top, left = (max(int(centre - radius), 0) for centre in (y, x))
        rows, columns = np.ogrid[top : int(y + radius) + 1, left : int(x + radius) + 1]
        patch = picture[top : int(y + radius) + 1, left : int(x + radius) + 1]
        inside = ((rows - y) ** 2 + (columns - x) ** 2 <= radius**2)[: patch.shape[0], : patch.shape[1]]
        patch[inside] = random.random(channels, dtype=np.float32)
    grain = random.normal(scale=0.01, size=picture.shape).astype(np.float32)
    picture += grain
    return picture.clip(0, 1)


def spoilt(picture: Picture) -> Picture:
    """The picture (H, W, channels), values 0..1, as restorers meet them: its upper half rained on, the rest blurred.

    To a clean picture many networks answer that picture, and so would a runtime that computes nothing. Contrast is a
    little lower and grain is over all, for of even ground, blurred or white, selections by likeness are all near-ties.
    """
    random = np.random.default_rng(0)
    picture = 0.05 + 0.9 * picture
    above, below = np.array_split(picture, 2)
    drops = (random.random(above.shape[:2]) < _DROPS).astype(np.float32)
    fallen = np.max([np.roll(drops, (step, step // 4), (0, 1)) for step in range(_FALL)], axis=0)
    rain = np.maximum(fallen, 0.6 * np.roll(fallen, 1, axis=1))  # streaks of one pixel are grain to a network

    rows, columns = np.mgrid[-_BLUR : _BLUR + 1, -_BLUR : _BLUR + 1]
    disc = np.argwhere(rows**2 + columns**2 <= _BLUR**2) - _BLUR
    unsharp = np.mean([np.roll(below, tuple(place), (0, 1)) for place in disc], axis=0)
    damaged = np.concatenate((above + 0.5 * rain[..., None] * (1 - above), unsharp))
    grain = random.normal(scale=0.01, size=picture.shape)
    return (damaged + grain).clip(0, 1).astype(np.float32)


def noise(side: int, channels: int, seed: int = 0) -> Picture:
    """Uniform noise (side, side, channels), values 0..1."""
    return np.random.default_rng(seed).random((side, side, channels), dtype=np.float32)


def _holds(path: Path, side: int) -> bool:
    with Image.open(path) as image:
        return min(image.size) >= side


def _centre(path: Path, side: int, channels: int) -> Picture:
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"), dtype=np.float32) / np.float32(255)
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return pixels[top : top + side, left : left + side].reshape(side, side, channels)
