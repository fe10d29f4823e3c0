"""How near one picture is to another: PSNR and SSIM as the papers have them, and the figures that tell a seam.

Pictures are arrays (H, W) or (H, W, C), values 0..1; sums are taken in float64. One LSB is 1/255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]

_WINDOW = 11  # Wang et al. 2004: an 11 x 11 Gaussian, sigma 1.5
_SIGMA = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def psnr(a: Picture, b: Picture, border: int = 0) -> float:
    """Peak signal-to-noise ratio in dB over all pixels and channels; infinite for equal pictures.

    `border` pixels are left out on every side (super-resolution leaves out `scale`). Raises ValueError for pictures of
    unequal shape or nothing left inside the border.
    """
    a, b = _pair(a, b, border)
    error = float(np.mean(np.square(a - b)))
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def ssim(a: Picture, b: Picture, border: int = 0) -> float:
    """Structural similarity (Wang et al. 2004): 11 x 11 Gaussian of sigma 1.5, valid region, mean over channels.

    This is the authors' ssim_index.m with its default constants. Raises ValueError below 11 x 11 pixels.
    """
    a, b = _pair(a, b, border)
    if min(a.shape[:2]) < _WINDOW:
        raise ValueError(f"SSIM needs at least {_WINDOW} x {_WINDOW} pixels, not {a.shape[1]} x {a.shape[0]}")
    channels = range(a.shape[2])
    return float(np.mean([_ssim_of_channel(a[..., channel], b[..., channel]) for channel in channels]))


def luma(image: Picture) -> Picture:
    """Y of BT.601 in studio range, as MATLAB's rgb2ycbcr: (H, W, 3) values 0..1 -> (H, W) values 16/255..235/255.

    On this scale a PSNR against a peak of 1 equals the papers' against 255. (MATLAB also rounds Y of 8-bit pictures to
    whole numbers, which moves a PSNR near 40 dB by about 0.04 dB; as most Python evaluations, this does not.)
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"luma is taken of (H, W, 3), not {image.shape}")
    return (image @ np.array([65.481, 128.553, 24.966], dtype=image.dtype) + 16) / 255


@dataclass(frozen=True)
class Seams:
    """How a tiled picture differs from the untiled one.

    Attributes:
        max_lsb: largest difference in 1/255.
        p999_lsb: difference that 99.9 % of all values stay below, in 1/255.
        equal: share of values that are equal after rounding to 8 bits, 0..1.
        psnr_db: PSNR between the two; infinite where they are equal.
        jump: `gradient_jump` of the tiled picture over that of the untiled one; 1 is no trace of the cuts.
    """

    max_lsb: float
    p999_lsb: float
    equal: float
    psnr_db: float
    jump: float


def seams(tiled: Picture, untiled: Picture, row_cuts: Sequence[int] = (), column_cuts: Sequence[int] = ()) -> Seams:
    """Compare a tiled picture with the untiled one; cuts are those of the plan, in output pixels."""
    a, b = _pair(tiled, untiled, 0)
    difference = np.abs(a - b) * 255
    reference = gradient_jump(b, row_cuts, column_cuts)
    return Seams(
        max_lsb=float(difference.max()),
        p999_lsb=float(np.quantile(difference, 0.999)),
        equal=float(np.mean(_eight_bit(a) == _eight_bit(b))),
        psnr_db=psnr(a, b),
        jump=gradient_jump(a, row_cuts, column_cuts) / reference if reference else 1.0,
    )


def gradient_jump(image: Picture, row_cuts: Sequence[int] = (), column_cuts: Sequence[int] = ()) -> float:
    """Mean step across the cuts over the mean step everywhere else; 1 without cuts or without any step elsewhere.

    A cut at y lies between the rows y - 1 and y. The figure depends on what the picture shows there: compare it with
    the untiled picture's, as `seams` does.
    """
    across, elsewhere = [], []
    for axis, cuts in ((0, row_cuts), (1, column_cuts)):
        steps = np.abs(np.diff(image.astype(np.float64), axis=axis))
        at_cut = np.zeros(steps.shape[axis], dtype=bool)
        at_cut[[cut - 1 for cut in cuts]] = True
        across.append(np.compress(at_cut, steps, axis=axis).ravel())
        elsewhere.append(np.compress(~at_cut, steps, axis=axis).ravel())
    cut_steps, other_steps = np.concatenate(across), np.concatenate(elsewhere)
    if cut_steps.size == 0 or other_steps.size == 0 or not other_steps.any():
        return 1.0
    return float(cut_steps.mean() / other_steps.mean())


def _pair(a: Picture, b: Picture, border: int) -> tuple[Float64, Float64]:
    """Both as float64 (H, W, C) without their border."""
    if a.shape != b.shape:
        raise ValueError(f"the pictures differ in shape: {a.shape} and {b.shape}")
    height, width = a.shape[:2]
    if min(height, width) <= 2 * border:
        raise ValueError(f"nothing is left of {width} x {height} pixels inside a border of {border}")
    inside = np.s_[border : height - border, border : width - border]
    first, second = (
        image[inside].astype(np.float64).reshape(height - 2 * border, width - 2 * border, -1) for image in (a, b)
    )
    return first, second


def _ssim_of_channel(a: Float64, b: Float64) -> float:
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a, variance_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    structure = (2 * covariance + _C2) / (variance_a + variance_b + _C2)
    return float(np.mean(luminance * structure))


def _blur(image: Float64) -> Float64:
    """Gaussian window over every place where all of it lies inside: (H, W) -> (H - 10, W - 10)."""
    taps = np.exp(-0.5 * np.square((np.arange(_WINDOW) - _WINDOW // 2) / _SIGMA))
    taps /= taps.sum()
    rows, columns = image.shape[0] - _WINDOW + 1, image.shape[1] - _WINDOW + 1
    down: Float64 = sum(
        (tap * image[k : k + rows] for k, tap in enumerate(taps)), start=np.zeros((rows, image.shape[1]))
    )
    return sum((tap * down[:, k : k + columns] for k, tap in enumerate(taps)), start=np.zeros((rows, columns)))


def _eight_bit(image: Float64) -> NDArray[np.uint8]:
    return np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)
