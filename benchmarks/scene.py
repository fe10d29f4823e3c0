"""A small landscape of our own, drawn from noise: evening over a lake, with a hut. The page shows tasks on it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SEED: Final = 7
SKY: Final = ((0.20, 0.34, 0.56), (0.55, 0.64, 0.72), (0.98, 0.80, 0.58))  # from the zenith to the horizon
HORIZON: Final = 0.60  # shore of the lake, share of the height
RIDGES: Final = (  # height over the horizon, roughness, colour, haze
    (0.33, 0.26, (0.36, 0.42, 0.54), 0.45),
    (0.20, 0.20, (0.24, 0.31, 0.36), 0.22),
    (0.09, 0.10, (0.11, 0.19, 0.17), 0.06),
)


def draw(height: int, width: int) -> Array:
    """The scene, (height, width, 3), sRGB values 0..1."""
    random = np.random.default_rng(SEED)
    rows, columns = np.mgrid[0:height, 0:width] / (height, width)[0]
    aspect = width / height
    picture = _sky(rows, columns, aspect, random)
    for lift, roughness, colour, haze in RIDGES:
        _ridge(picture, rows, HORIZON - lift, roughness, np.array(colour), haze, random)
    _hut(picture, rows, columns, aspect)
    _lake(picture, rows, random)
    for _ in range(9):
        _pine(picture, rows, columns, random.uniform(0, aspect * 0.36), random.uniform(0.22, 0.5), random)
    for _ in range(4):
        _pine(picture, rows, columns, aspect - random.uniform(0, aspect * 0.12), random.uniform(0.16, 0.34), random)
    return np.clip(picture, 0, 1)


def _fractal(height: int, width: int, cells: int, random: np.random.Generator, persistence: float = 0.5) -> Array:
    """Value noise of several octaves, about -1..1; `cells` across the first one."""
    total, weight = np.zeros((height, width)), 1.0
    while cells < max(height, width):
        knots = random.uniform(-1, 1, (cells + 2, cells + 2))
        at_y, at_x = (np.linspace(0, cells, side, endpoint=False) for side in (height, width))
        y, x = at_y.astype(int)[:, None], at_x.astype(int)[None, :]
        v, u = (_smooth(at - at.astype(int)) for at in (at_y, at_x))
        v, u = v[:, None], u[None, :]
        top = knots[y, x] * (1 - u) + knots[y, x + 1] * u
        bottom = knots[y + 1, x] * (1 - u) + knots[y + 1, x + 1] * u
        total += weight * (top * (1 - v) + bottom * v)
        cells, weight = cells * 2, weight * persistence
    return total


def _smooth(t: Array) -> Array:
    return t * t * (3 - 2 * t)


def _sky(rows: Array, columns: Array, aspect: float, random: np.random.Generator) -> Array:
    t = np.clip(rows / HORIZON, 0, 1)[..., None]
    top, middle, low = map(np.array, SKY)
    sky = np.where(t < 0.6, top + (middle - top) * (t / 0.6), middle + (low - middle) * ((t - 0.6) / 0.4))
    distance = np.hypot(columns - 0.68 * aspect, (rows - 0.36) * 1.2)
    sky = sky + np.exp(-((distance / 0.22) ** 2))[..., None] * np.array((0.34, 0.22, 0.05))
    sky = sky + (distance < 0.035)[..., None] * np.array((0.5, 0.5, 0.5))
    clouds = np.clip(_fractal(*rows.shape, 3, random) * 0.9 - 0.15 - abs(rows - 0.2) * 1.4, 0, 1)[..., None]
    return sky + clouds * (np.array((1.0, 0.90, 0.82)) - sky) * 0.85


def _ridge(
    picture: Array, rows: Array, level: float, rough: float, colour: Array, haze: float, random: np.random.Generator
) -> None:
    height, width = rows.shape
    skyline = level - rough * _fractal(height, width, 3, random)[0] * 0.6
    depth = rows - skyline[None, :]
    slopes = _fractal(height, width, 10, random, 0.62)
    light = 1 + 0.30 * np.gradient(slopes, axis=1) * width / 40
    ground = colour * np.clip(light, 0.4, 1.9)[..., None]
    snow = np.clip((0.10 - depth) * 9 + slopes * 0.9 - 0.2, 0, 1)[..., None] * (haze > 0.3)
    ground = ground + (np.array((0.90, 0.89, 0.93)) * np.clip(light, 0.55, 1.15)[..., None] - ground) * snow
    mist = haze * np.clip(depth / 0.3, 0.2, 1)[..., None]
    ground = ground + (np.array((0.88, 0.76, 0.66)) - ground) * mist
    inside = (depth > 0)[..., None]
    picture[:] = np.where(inside, ground, picture)


def _hut(picture: Array, rows: Array, columns: Array, aspect: float) -> None:
    x, y = (columns - 0.50 * aspect) / 0.115, (rows - (HORIZON - 0.06)) / 0.115
    wall = (abs(x) < 1) & (y > -0.15) & (y < 0.55)
    picture[wall] = np.array((0.52, 0.16, 0.10)) * (1 - 0.22 * (np.sin(x[wall] * 40) > 0))[:, None]
    roof = (y > -1) & (y < -0.1) & (abs(x) < 1.2 * (y + 1.05))
    picture[roof] = (0.16, 0.14, 0.15)
    for centre in (-0.5, 0.45):
        window = (abs(x - centre) < 0.2) & (abs(y - 0.18) < 0.18)
        picture[window] = (1.0, 0.86, 0.45)
        picture[window & (abs(x - centre) < 0.03)] = (0.3, 0.1, 0.06)


def _lake(picture: Array, rows: Array, random: np.random.Generator) -> None:
    height, width = rows.shape
    shore = int(HORIZON * height)
    depth = np.arange(height - shore)
    ripple = _fractal(height - shore, width, 24, random)
    source = shore - 1 - depth[:, None] * 0.9 + ripple * (1 + depth[:, None] * 0.05)
    mirrored = picture[np.clip(source, 0, shore - 1).astype(int), np.arange(width)[None, :]]
    water = mirrored * 0.80 + np.array((0.03, 0.06, 0.09))
    glitter = np.clip(_fractal(height - shore, width, 60, random) - 0.75, 0, 1)[..., None] * 0.7
    picture[shore:] = water + glitter * np.array((1.0, 0.86, 0.66))


def _pine(picture: Array, rows: Array, columns: Array, at: float, tall: float, random: np.random.Generator) -> None:
    """A pine that stands on the lower edge of the picture."""
    foot = 1.02
    t = (rows - (foot - tall)) / tall
    teeth = 0.62 + 0.38 * ((t * 11 + random.uniform(0, 1)) % 1)
    jagged = 0.85 + 0.3 * random.random(rows.shape)
    needles = (t > 0) & (abs(columns - at) < 0.19 * tall * t * teeth * jagged)
    shade = 0.6 + 0.8 * random.random(rows.shape)
    picture[needles] = np.array((0.055, 0.10, 0.085)) * shade[needles][:, None]
