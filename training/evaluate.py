"""How good a network is on pairs of pictures: PSNR and SSIM, on RGB and on Y, beside those of the untouched input."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from imaging.quality import luma, psnr, ssim
from models.network import RestorationNetwork
from training.dataset import DatasetError, pictures
from training.harm import changed
from training.picture_files import Array, read
from training.validation import Example, restored


@dataclass(frozen=True)
class Figures:
    """Means over `pictures` pictures; PSNR in dB (100 for equal pictures), SSIM 0..1; Y is BT.601 studio range.

    Of the worst picture are `least_psnr_rgb_db` and `shift`: how far the mean of one of its channels is from what it
    should be, 0..255. `changed` pictures are so far off that, where they were clean, they are harmed.
    """

    pictures: int
    psnr_rgb_db: float
    ssim_rgb: float
    psnr_y_db: float
    ssim_y: float
    least_psnr_rgb_db: float
    shift: float
    changed: int


def evaluate(
    network: RestorationNetwork, shown: Iterable[Example], device: torch.device, border: int = 0, name: str = ""
) -> dict[str, Figures]:
    """Measure the restored pictures and, where its size is the target's, the degraded ones as they came: by name.

    A bar on standard error counts the pictures; `name` is what they are together. Raises DatasetError, with the
    picture's name, where it cannot be measured.
    """
    after, before = [], []
    for example in tqdm(shown, desc=name, unit="picture", dynamic_ncols=True):
        try:
            after.append(compare(restored(network, example.degraded, device), example.target, border))
            if example.degraded.shape == example.target.shape:
                before.append(compare(example.degraded.clip(0, 1), example.target, border))
        except ValueError as error:  # sizes that do not go together, or that SSIM and the border leave nothing of
            raise DatasetError(f"{example.name}: {error}") from error
    if not after:
        raise DatasetError("there are no pictures to measure on")
    return {"restored": summary(after)} | ({"input": summary(before)} if before else {})


def folder_examples(folder: Path, channels: int = 3) -> Iterator[Example]:
    """Yield the pairs of a folder that holds input/ and target/ with equal names, folders in them included.

    The extension may differ. `channels` is what the network takes.

    Raises:
        DatasetError: a half is missing, or a picture in one of them; or two pictures have one name.
    """
    if not all((folder / half).is_dir() for half in ("input", "target")):
        raise DatasetError(f"{folder} needs two folders, input and target, with equal file names")
    inputs, targets = _by_name(folder / "input"), _by_name(folder / "target")
    for half, alone in (("target", inputs.keys() - targets.keys()), ("input", targets.keys() - inputs.keys())):
        if alone:
            raise DatasetError(f"{folder / half} lacks {', '.join(sorted(alone))}")
    for name, path in inputs.items():
        yield Example(name, read(path, channels), read(targets[name]))


def _by_name(folder: Path) -> dict[str, Path]:
    """The pictures of a folder by their paths in it, less the extension."""
    found: dict[str, Path] = {}
    for path in pictures(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise DatasetError(f"{found[name]} and {path} have one name: which is meant?")
        found[name] = path
    return found


def compare(image: Array, target: Array, border: int) -> list[float]:
    """Return PSNR and SSIM on RGB, then on Y, and the shift, of one answer; `border` pixels are left out all around."""
    shift = float(np.abs((image - target).mean(axis=(0, 1), dtype=np.float64)).max()) * 255
    rgb = [min(psnr(image, target, border), 100.0), ssim(image, target, border)]
    if target.shape[-1] == 1:
        return [*rgb, *rgb, shift]
    y, target_y = luma(image), luma(target)
    return [*rgb, min(psnr(y, target_y, border), 100.0), ssim(y, target_y, border), shift]


def summary(rows: list[list[float]]) -> Figures:
    """Sum up what `compare` found for several pictures."""
    psnr_rgb, ssim_rgb, psnr_y, ssim_y, _ = (round(float(mean), 4) for mean in np.mean(rows, axis=0))
    return Figures(
        pictures=len(rows),
        psnr_rgb_db=psnr_rgb,
        ssim_rgb=ssim_rgb,
        psnr_y_db=psnr_y,
        ssim_y=ssim_y,
        least_psnr_rgb_db=round(min(row[0] for row in rows), 4),
        shift=round(max(row[-1] for row in rows), 4),
        changed=sum(changed(row[0], row[-1]) for row in rows),
    )
