"""Haze seen by what is dark without it: He, Sun and Tang, "Single Image Haze Removal Using Dark Channel Prior" (2009).

No package that is kept up has it. The transmission is refined by their guided filter ("Guided Image Filtering", 2010)
in place of matting, as they did themselves later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Float64 = NDArray[np.float64]

PATCH_PX: Final = 15
BRIGHTEST: Final = 0.001
LEAST_TRANSMISSION: Final = 0.1
RADIUS_PX: Final = 40
EPSILON: Final = 1e-3


def dark_channel(omega: float) -> Callable[[Array], Array]:
    """The method for pictures (H, W, 3) in 0..1; `omega` is the share of the haze that is taken away, theirs 0.95."""

    def clear(x: Array) -> Array:
        picture = x.astype(np.float64)
        air = airlight(picture)
        coarse = 1 - omega * darkest(picture / air)  # equation 12
        fine = guided(picture.mean(axis=2), coarse).clip(LEAST_TRANSMISSION, 1)[..., None]
        answer: Array = ((picture - air) / fine + air).astype(np.float32)  # equation 16
        return answer

    return clear


def darkest(picture: Float64) -> Float64:
    """The dark channel (H, W), equation 5: the least value of any channel in the patch around each pixel."""
    from scipy.ndimage import minimum_filter

    found: Float64 = minimum_filter(picture.min(axis=2), PATCH_PX, mode="nearest")
    return found


def airlight(picture: Float64) -> Float64:
    """Colour of the air (3,): the mean of the pixels whose dark channel is brightest, one in a thousand.

    They take the most intense of these; their mean does not hang on one pixel's noise.
    """
    dark = darkest(picture).ravel()
    count = max(1, round(BRIGHTEST * dark.size))
    brightest = np.argsort(dark, kind="stable")[-count:]
    air: Float64 = picture.reshape(-1, 3)[brightest].mean(axis=0)
    return np.maximum(air, 1 / 255)


def guided(guide: Float64, coarse: Float64) -> Float64:
    """`coarse` (H, W) made to follow the edges of `guide` (H, W): equations 5, 6 and 8 of the guided filter."""
    mean_guide, mean_coarse = _box(guide), _box(coarse)
    slope = (_box(guide * coarse) - mean_guide * mean_coarse) / (_box(guide * guide) - mean_guide**2 + EPSILON)
    fine: Float64 = _box(slope) * guide + _box(mean_coarse - slope * mean_guide)
    return fine


def _box(plane: Float64) -> Float64:
    from scipy.ndimage import uniform_filter

    found: Any = uniform_filter(plane, 2 * RADIUS_PX + 1, mode="nearest")
    return found  # type: ignore[no-any-return]
