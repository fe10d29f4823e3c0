"""Clean photographs kept in memory, cropped at random, and the pairs of rainy pictures beside them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.picture_files import read_8bit

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}


class DatasetError(ValueError):
    """The training data is not as expected; the text says what was found and what is needed."""


@dataclass(frozen=True)
class Pair:
    """One degraded picture and its pixel-exact clean one; `name` is its path inside its folder."""

    name: str
    rainy: Path
    clean: Path
    set: str


def read_pairs(folder: Path) -> list[Pair]:
    """Read `pairs.tsv` (columns rainy, clean, set; paths relative to `folder`).

    Raises:
        DatasetError: it is not there, or a line lacks one of the three.
    """
    table = folder / "pairs.tsv"
    if not table.is_file():
        raise DatasetError(f"{folder} has no pairs.tsv")
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    for number, row in enumerate(rows, 2):
        if missing := [column for column in ("rainy", "clean", "set") if not row.get(column)]:
            raise DatasetError(f"{table}: line {number} lacks {', '.join(missing)}")
    return [Pair(row["rainy"], folder / row["rainy"], (folder / row["clean"]).resolve(), row["set"]) for row in rows]


def held_out(folder: Path, names: Iterable[str]) -> list[Pair]:
    """The pairs of these names, in the order of `pairs.tsv`.

    Raises:
        DatasetError: one of `names` is not there: it would be trained on under the name that it has.
    """
    wanted = set(names)
    found = [pair for pair in read_pairs(folder) if pair.name in wanted]
    if missing := sorted(wanted - {pair.name for pair in found}):
        raise DatasetError(f"{folder / 'pairs.tsv'} has no {', '.join(missing)} to hold out")
    return found


def paired(folder: Path, degraded: str, clean: str) -> list[tuple[Path, Path]]:
    """Files of `folder` whose path is `degraded` for some value of its `*`, each with `clean` for the same; by name.

    Raises:
        DatasetError: there are none, or one lacks its other half.
    """
    start, end = degraded.split("*")
    found = []
    for path in sorted(folder.glob(degraded)):
        shared = path.relative_to(folder).as_posix().removeprefix(start).removesuffix(end)
        found.append((path, folder / clean.replace("*", shared)))
    if not found:
        raise DatasetError(f"{folder} has no {degraded}")
    if missing := [str(other) for _, other in found if not other.is_file()]:
        raise DatasetError(f"{folder} lacks {', '.join(missing)}")
    return found


def pictures(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """List the pictures of a folder and of the folders in it, by name; with `names`, those alone.

    Raises:
        DatasetError: there is no such folder, or it has no picture, or not one of `names`.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is not a folder")
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise DatasetError(f"{folder} has no {', '.join(missing)}")
    if names:
        return [folder / name for name in names]
    if not (found := sorted(path for path in _files(folder) if path.suffix.lower() in SUFFIXES)):
        raise DatasetError(f"{folder} has no pictures ({' '.join(sorted(SUFFIXES))})")
    return found


def _files(folder: Path) -> Iterator[Path]:
    """Every file of a folder and of the folders in it, linked ones too, each folder once."""
    seen = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        if (real := Path(root).resolve()) in seen:  # a link back up
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(root, name) for name in names)


class Photographs:
    """Clean pictures as (3, H, W) uint8 tensors on one device.

    JPEG artefacts and noise would be learnt as truth: pictures with a short side over `halve_above` pixels are halved.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        device: torch.device,
        halve_above: int = 640,
        drawn: Iterable[NDArray[np.uint8]] = (),
    ) -> None:
        """Read the pictures of `paths`; `drawn` ones (H, W, 3) join them."""
        self.photographs = [_tensor(_halved(read_8bit(path), halve_above)).to(device) for path in paths]
        self.photographs += [_tensor(picture).to(device) for picture in drawn]
        if not self.photographs:
            raise DatasetError("there are no pictures to train on, but for those that the recipe is validated on")
        areas = torch.tensor([float(p.shape[1] * p.shape[2]) for p in self.photographs])
        self.probabilities = areas.sqrt()  # large pictures more often, but not in proportion to their area

    def crops(self, batch: int, size: int, generator: torch.Generator) -> Tensor:
        """Draw (B, 3, size, size) in 0..1, turned and mirrored at random; smaller pictures are left out."""
        fits = torch.tensor([float(min(p.shape[1:]) >= size) for p in self.photographs])
        if not fits.any():
            raise DatasetError(f"no picture is at least {size}x{size}")
        which = torch.multinomial(self.probabilities * fits, batch, replacement=True, generator=generator)
        places = torch.rand(batch, 3, generator=generator)
        return torch.stack([_crop(self.photographs[i], size, *place) for i, place in zip(which, places, strict=True)])


def _crop(photograph: Tensor, size: int, top: Tensor, left: Tensor, turn: Tensor) -> Tensor:
    """One crop in 0..1; `top`, `left`, `turn` in [0, 1) say where it lies and which of the eight ways it is turned."""
    y, x = int(top * (photograph.shape[1] - size + 1)), int(left * (photograph.shape[2] - size + 1))
    crop = photograph[:, y : y + size, x : x + size].float() / 255
    quarter, mirrored = divmod(int(turn * 8), 2)
    return torch.rot90(crop.flip(-1) if mirrored else crop, quarter, (1, 2))


def _halved(rgb: NDArray[np.uint8], above: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3), at half its size where its short side has more than `above` pixels."""
    return np.asarray(Image.fromarray(rgb).reduce(2)) if min(rgb.shape[:2]) > above else rgb


def _tensor(rgb: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(rgb.transpose(2, 0, 1).copy())


def without(paths: Sequence[Path], excluded: Iterable[Path]) -> list[Path]:
    """Leave out the pictures of `excluded`, whatever way their paths are written."""
    hidden = {path.resolve() for path in excluded}
    return [path for path in paths if path.resolve() not in hidden]
