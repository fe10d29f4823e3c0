"""How near a runtime's answers are to the network's, and how near they have to be. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.manifest import Precision

Tiles = NDArray[np.float32]

MAX_ABS_FP32 = 1e-4
MIN_PSNR_HALF_DB = 60.0
MIN_PSNR_TIES_DB = 60.0  # of a float32 picture, those of its values included that near-ties decide
PSNR_CAP_DB = 200.0  # equal tiles have no finite PSNR, and JSON no infinity


@dataclass(frozen=True)
class Figures:
    """Difference of two answers with values 0..1.

    Attributes:
        max_abs: the largest absolute difference, where no near-tie decides.
        psnr_db: the PSNR over all values, capped at 200 dB.
        undecided: share of values that near-ties decide, 0..1 (see `models.layers.near_ties`).
    """

    max_abs: float
    psnr_db: float
    undecided: float = 0.0

    def within(self, precision: Precision) -> bool:
        """Whether it is small enough: 1e-4 for float32 graphs, 60 dB for half precision."""
        return self.fault(precision) is None

    def fault(self, precision: Precision) -> str | None:
        """What is beyond its bound, and the bound, in words; None where it is small enough."""
        if precision == "fp32" and not self.max_abs <= MAX_ABS_FP32:
            return f"is off by {self.max_abs:.1e} (at most {MAX_ABS_FP32:.0e})"
        least = MIN_PSNR_TIES_DB if precision == "fp32" else MIN_PSNR_HALF_DB
        if not self.psnr_db >= least:
            return f"is at {self.psnr_db:.1f} dB in {precision} (at least {least:.0f} dB)"
        return None


@dataclass(frozen=True)
class Expected:
    """What every runtime has to answer.

    Attributes:
        answers: the torch network's, (N, C, H, W).
        decided: which of these values no near-tie decides; None: all.
        abreast: pictures side by side in each tile, of equal width; each is judged alone.
    """

    answers: Tiles
    decided: NDArray[np.bool_] | None = None
    abreast: int = 1

    def __getitem__(self, part: slice) -> Expected:
        return replace(self, answers=self.answers[part], decided=None if self.decided is None else self.decided[part])


def compare(wanted: Expected, run: Callable[[Tiles], Tiles], inputs: Tiles) -> Figures:
    """Run `inputs` as one batch and the first of them alone, which has to agree as well; the worse figures count."""
    batches = [inputs, inputs[:1]][: len(inputs)]
    return worst(difference(wanted[: len(batch)], run(batch)) for batch in batches)


def difference(wanted: Expected, found: Tiles) -> Figures:
    """Figures of two answers of equal shape: of each the worst picture's, so that no easy one makes up for another.

    A value that is not finite counts as the largest error there is.
    """
    if wanted.answers.shape != found.shape or not np.isfinite(found).all():
        return Figures(float(np.finfo(np.float32).max), 0.0)
    error = np.abs(wanted.answers.astype(np.float64) - found)
    decided = np.ones(error.shape, bool) if wanted.decided is None else wanted.decided
    return worst(map(_figures, _pictures(error, wanted.abreast), _pictures(decided, wanted.abreast)))


def _pictures(values: NDArray[Any], abreast: int) -> Iterator[NDArray[Any]]:
    """(N, C, H, W) as its N * abreast pictures, (C, H, W / abreast), one wider where W is odd."""
    for tile in values:
        yield from np.array_split(tile, abreast, axis=-1)


def _figures(error: NDArray[np.float64], decided: NDArray[np.bool_]) -> Figures:
    mean_square = float(np.mean(np.square(error)))
    psnr = PSNR_CAP_DB if mean_square == 0 else min(-10 * float(np.log10(mean_square)), PSNR_CAP_DB)
    return Figures(float(error[decided].max(initial=0)), psnr, float(1 - decided.mean()))


def worst(figures: Iterable[Figures]) -> Figures:
    """The largest error and share, and the lowest PSNR, of several."""
    several = tuple(figures)
    return Figures(
        max(one.max_abs for one in several), min(one.psnr_db for one in several), max(one.undecided for one in several)
    )
