"""Classical methods, which learn nothing, by the name that the README's table gives them.

Each takes its settings and gives back a function of one picture, (H, W, C) float32 in 0..1; answers may leave 0..1.
Needs the extra `benchmarks`; the bm3d package is free for non-commercial use only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.dark_channel import dark_channel
from training.degradations.resize import imresize

Array = NDArray[np.float32]
Method = Callable[[Array], Array]

# The packages are imported where they are called: whoever names one task does without the others' packages.


def bm3d(sigma: float, profile: str = "np") -> Method:
    """BM3D (Dabov et al., 2007; colour by C-BM3D) told the deviation, in steps of 255; the profile "lc" is quicker.

    Three equal channels, whose noise is equal too, are one grey picture: C-BM3D expects each channel its own noise.
    """

    def denoise(x: Array) -> Array:
        import bm3d

        chosen = bm3d.BM3DProfileLC() if profile == "lc" else profile
        if (x == x[..., :1]).all():
            grey = bm3d.bm3d(x[..., 0], sigma / 255, profile=chosen)
            return np.repeat(grey.astype(np.float32)[..., None], x.shape[2], axis=2)
        answer: Array = bm3d.bm3d_rgb(x, sigma / 255, profile=chosen).reshape(x.shape).astype(np.float32)
        return answer

    return denoise


def blind_bm3d(factor: float, profile: str) -> Method:
    """BM3D told `factor` times the deviation found in the finest wavelets (Donoho and Johnstone, 1994).

    Noise that was demosaiced or saved as JPEG has little in the finest wavelets: its deviation is larger than found.
    """

    def denoise(x: Array) -> Array:
        from skimage.restoration import estimate_sigma

        found = float(estimate_sigma(x, channel_axis=2, average_sigmas=True)) * 255
        return bm3d(factor * found, profile)(x)

    return denoise


def malvar() -> Method:
    """The gradient-corrected linear interpolation of Malvar, He and Cutler (2004), of a mosaic RGGB."""

    def demosaic(x: Array) -> Array:
        from colour_demosaicing import demosaicing_CFA_Bayer_Malvar2004

        answer: Array = demosaicing_CFA_Bayer_Malvar2004(x[..., 0], "RGGB").astype(np.float32)
        return answer

    return demosaic


def bicubic(scale: int) -> Method:
    """MATLAB's imresize."""
    return lambda x: imresize(torch.from_numpy(x).permute(2, 0, 1), scale).permute(1, 2, 0).numpy()


def opening(width: int) -> Method:
    """Grey opening by a horizontal line: what is bright and less than `width` pixels wide, as streaks are, goes."""

    def open_(x: Array) -> Array:
        from scipy.ndimage import grey_opening

        answer: Array = grey_opening(x, size=(1, width, 1), mode="nearest")
        return answer

    return open_


def total_variation(weight: float) -> Method:
    """Chambolle's algorithm (2004) for the picture of least total variation near this one; more weight, less detail."""

    def smooth(x: Array) -> Array:
        from skimage.restoration import denoise_tv_chambolle

        answer: Array = denoise_tv_chambolle(x, weight=weight, channel_axis=2).astype(np.float32)
        return answer

    return smooth


def unsharp_mask(radius: float, amount: float) -> Method:
    """What a Gaussian of deviation `radius` pixels takes away, `amount` times, added."""

    def sharpen(x: Array) -> Array:
        from skimage.filters import unsharp_mask

        # Axis 2, not -1: with a negative axis scikit-image 0.26 fills three rows and leaves the rest as memory was.
        answer: Array = unsharp_mask(np.ascontiguousarray(x), radius, amount, channel_axis=2)
        return answer

    return sharpen


def richardson_lucy(sigma: float, iterations: int) -> Method:
    """Richardson (1972) and Lucy (1974); for the kernel, which is not known, a Gaussian of deviation `sigma` pixels."""
    offset = np.arange(-np.ceil(4 * sigma), np.ceil(4 * sigma) + 1)
    profile = np.exp(-0.5 * (offset / sigma) ** 2)
    kernel = (np.outer(profile, profile) / profile.sum() ** 2)[..., None]

    def deconvolve(x: Array) -> Array:
        from skimage.restoration import richardson_lucy

        # What lies beyond the edge would be black otherwise, and come back from it step by step.
        margin = iterations * len(offset)
        continued = np.pad(x, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric").astype(np.float64)
        found = richardson_lucy(continued, kernel, iterations, filter_epsilon=1e-4)
        answer: Array = found[margin:-margin, margin:-margin].astype(np.float32)
        return answer

    return deconvolve


def stretch() -> Method:
    """The darkest value of the picture becomes black and the brightest white, all between in proportion."""

    def widen(x: Array) -> Array:
        from skimage.exposure import rescale_intensity

        answer: Array = rescale_intensity(x, out_range=(0.0, 1.0)).astype(np.float32)
        return answer

    return widen


def clahe(clip: float) -> Method:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld, 1994) in 8 x 8 regions."""

    def equalise(x: Array) -> Array:
        from skimage.exposure import equalize_adapthist

        answer: Array = equalize_adapthist(x, clip_limit=clip).astype(np.float32)
        return answer

    return equalise


METHODS: Final[Mapping[str, Callable[..., Method]]] = {
    "BM3D": bm3d,
    "blind BM3D": blind_bm3d,
    "Malvar": malvar,
    "bicubic": bicubic,
    "opening": opening,
    "total variation": total_variation,
    "unsharp mask": unsharp_mask,
    "Richardson-Lucy": richardson_lucy,
    "contrast stretch": stretch,
    "CLAHE": clahe,
    "dark channel prior": dark_channel,
}


@dataclass(frozen=True)
class Classical:
    """One of METHODS with its settings, by name."""

    name: str
    settings: Mapping[str, Any]

    def __call__(self, picture: Array) -> Array:
        """What it makes of a picture, (H, W, C) in 0..1, rounded to 8 bits as an answer of the networks is."""
        answer = METHODS[self.name](**self.settings)(picture)
        return np.asarray((answer.clip(0, 1) * 255).round() / 255, np.float32)
