"""An artifact's probe: a picture, and what the network answers to it. By it a machine finds out what its runtimes do.

An export compares runtimes with the network on its own machine. Another GPU, driver or library may compute otherwise,
and an engine is not even built before it is there. The picture is generated: no artifact holds anyone's photograph.
Loads no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export import pictures
from export.figures import Expected, Figures, Tiles, difference

FILE_NAME: Final = "probe.npz"
_SIDE: Final = 256  # of the picture
_VALUES: Final = 32_768  # of each answer that are kept, at most: they tell as much as all, in a tenth of a megabyte

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Probe:
    """The picture and its answers.

    Attributes:
        picture: see `picture`.
        expected: for each side of tiles what is to be answered to `tile`, thinned out.
    """

    picture: Picture
    expected: Mapping[int, Expected]

    def compare(self, side: int, answers: Tiles) -> Figures:
        """Figures of a runtime's answers (N, C', scale * side, scale * side) to N times the tile of this side."""
        wanted = self.expected[side]
        several = Expected(
            np.repeat(wanted.answers, len(answers), axis=0),
            None if wanted.decided is None else np.repeat(wanted.decided, len(answers), axis=0),
            wanted.abreast,
        )
        return difference(several, _thinned(answers))


def picture(channels: int) -> Picture:
    """(channels, 256, 256): the left half is a generated picture with damage, the right half noise."""
    half = _SIDE // 2
    drawn, noise = pictures.spoilt(pictures.dead_leaves(_SIDE, channels, seed=1)), pictures.noise(_SIDE, channels)
    both = np.concatenate((drawn[:, :half], noise[:, half:]), axis=1).transpose(2, 0, 1)
    return np.rint(both * 255).astype(np.uint8)


def tile(picture: Picture, side: int) -> Tiles:
    """A tile (1, C, side, side), values 0..1, whose halves are cut from the picture's or go on with them mirrored."""
    halves = []
    for half, width in zip(np.split(picture, 2, axis=-1), (side - side // 2, side // 2), strict=True):
        more = [(0, max(wanted - there, 0)) for wanted, there in zip((side, width), half.shape[1:], strict=True)]
        halves.append(np.pad(half, [(0, 0), *more], "symmetric")[:, :side, :width])
    return np.concatenate(halves, axis=-1)[None].astype(np.float32) / np.float32(255)


def save(path: Path, picture: Picture, expected: Mapping[int, Expected]) -> None:
    """Write the picture, and what is to be answered to its tile of each side, thinned out."""
    arrays: dict[str, Any] = {"picture": picture}
    for side, wanted in expected.items():
        arrays[f"{side}"] = _thinned(wanted.answers)
        if wanted.decided is not None:
            arrays[f"{side} decided"] = _thinned(wanted.decided)
    np.savez_compressed(path, **arrays)


def load(path: Path) -> Probe:
    """Read what `save` has written."""
    with np.load(path) as arrays:
        sides = [int(name) for name in arrays.files if name.isdecimal()]
        expected = {
            side: Expected(
                arrays[f"{side}"], arrays[f"{side} decided"] if f"{side} decided" in arrays.files else None, abreast=2
            )
            for side in sides
        }
        return Probe(arrays["picture"], expected)


def _thinned(answers: NDArray[Any]) -> NDArray[Any]:
    """Every so many rows and columns of answers (N, C, H, W), evenly; which ones the shape alone decides.

    Neither 2 nor 3 divides the step: networks enlarge by those, and so every place of what they enlarge is met.
    """
    values = answers[0].size
    step = next(step for step in count(1) if step % 2 and step % 3 and values <= _VALUES * step**2)
    return answers[..., ::step, ::step]
