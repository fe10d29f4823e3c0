"""What the input and a classical method reach on the validation pictures: `python -m benchmarks.baselines`.

Prints a JSON object a line as soon as it is measured (BM3D takes minutes): task, set, condition, method, pictures,
space, psnr_db, ssim and seconds, which include making the pairs. Answers are clipped and rounded to 8 bits before they
are measured; an input of unclipped noise is measured as it is. Each made pair has the seed of its place in the set.
Needs the extra `benchmarks`; the bm3d package is free for non-commercial use only.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from imaging.quality import luma, psnr, ssim
from training.dataset import read_pairs
from training.degradations import create
from training.degradations.resize import imresize
from training.recipe import Recipe

Array = NDArray[np.float32]
TASKS = ("derain", "denoise", "dejpeg", "deblur", "defocus", "weather", "demosaic", "upscale")
Pairs = Iterator[tuple[Array, Array]]
Method = Callable[[Array], Array]


@dataclass(frozen=True)
class Case:
    """One set under one condition: pairs (input, target) of (H, W, C) in 0..1, made anew for every method.

    Attributes:
        space: "RGB", "grey", or "Y" for BT.601 luma.
        border: pixels left out on every side.
        methods: named answers beside the input's own; an input of another shape than its target has none of its own.
    """

    task: str
    set: str
    condition: str
    pairs: Callable[[], Pairs]
    space: str = "RGB"
    border: int = 0
    methods: tuple[tuple[str, Method], ...] = ()


def read(path: Path) -> Array:
    """Read (H, W, C) in 0..1; C is 1 for a grey file."""
    with Image.open(path) as image:
        pixels = np.asarray(image if image.mode == "L" else image.convert("RGB"), np.float32)
    return pixels.reshape(*pixels.shape[:2], -1) / np.float32(255)


def clean(folder: Path, channels: int) -> list[Array]:
    """All pictures of a folder that have this many channels, by name."""
    pictures = (read(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in {".png", ".jpg"})
    return [picture for picture in pictures if picture.shape[2] == channels]


def degraded(folder: Path, kind: str, multiple: int = 1, **options: object) -> Pairs:
    """Make pairs by one of our degradations; pictures are cropped to a multiple of `multiple`."""
    degrade = create(kind, **options)
    for seed, picture in enumerate(clean(folder, 3)):
        height, width = (side - side % multiple for side in picture.shape[:2])
        batch = torch.from_numpy(picture[:height, :width]).permute(2, 0, 1)[None]
        x, y = degrade(batch, torch.Generator().manual_seed(seed))
        yield x[0].permute(1, 2, 0).numpy(), y[0].permute(1, 2, 0).numpy()


def noisy(folder: Path, channels: int, sigma: float) -> Pairs:
    """Add unclipped white noise."""
    for seed, picture in enumerate(clean(folder, channels)):
        noise = np.random.default_rng(seed).standard_normal(picture.shape, np.float32)
        yield picture + np.float32(sigma / 255) * noise, picture


def saved_as_jpeg(folder: Path, channels: int, quality: int) -> Pairs:
    """Save with Pillow's encoder, chroma 4:2:0."""
    for picture in clean(folder, channels):
        file = io.BytesIO()
        Image.fromarray((picture * 255).round().astype(np.uint8).squeeze()).save(file, "JPEG", quality=quality)
        decoded = np.asarray(Image.open(file), np.float32) / np.float32(255)
        yield decoded.reshape(picture.shape), picture


def rainy(data: Path, name: str) -> Pairs:
    """The pairs of a rain set which the derain recipes hold out."""
    recipes = [Recipe.read(path) for path in sorted(Path("training/recipes").glob("*derain*.toml"))]
    held_out = {pair for recipe in recipes for pair in recipe.data.held_out}
    for pair in read_pairs(data / "rain"):
        if pair.set == name and pair.name in held_out:
            yield read(pair.rainy), read(pair.clean)


def photographed(inputs: list[Path], target: Callable[[Path], Path]) -> Pairs:
    """Real pairs from files."""
    for path in sorted(inputs):
        yield read(path), read(target(path))


def bm3d(sigma: float) -> Method:
    """BM3D (Dabov et al., 2007; colour by C-BM3D) told the true deviation."""

    def denoise(x: Array) -> Array:
        from bm3d import bm3d as grey  # here: the other tasks do without the package
        from bm3d import bm3d_rgb

        answer = bm3d_rgb(x, sigma / 255) if x.shape[2] == 3 else grey(x, sigma / 255)
        return answer.reshape(x.shape).astype(np.float32)

    return denoise


def demosaic(name: str) -> Method:
    """Bilinear, or the gradient-corrected linear interpolation of Malvar et al. (2004)."""

    def interpolate(x: Array) -> Array:
        import colour_demosaicing  # here: the other tasks do without the package

        method = getattr(colour_demosaicing, f"demosaicing_CFA_Bayer_{name}")
        return method(x[..., 0], "RGGB").astype(np.float32)

    return interpolate


def bicubic(scale: int) -> Method:
    """MATLAB's imresize."""
    return lambda x: imresize(torch.from_numpy(x).permute(2, 0, 1), scale).permute(1, 2, 0).numpy()


def cases(data: Path) -> Iterator[Case]:
    """All cases, in the order of the tasks' table."""
    val = data / "val"
    set5, set14 = val / "Set5", val / "Set14"
    for name in ("rain100L", "rain200H"):
        yield Case("derain", name, "held-out", lambda n=name: rainy(data, n), "Y")
    for sigma in (25, 15, 50):
        for name, channels, space in (("Set5", 3, "RGB"), ("Set12", 1, "grey")):
            pairs = lambda n=name, c=channels, s=sigma: noisy(val / n, c, s)  # noqa: E731
            yield Case("denoise", name, f"sigma {sigma} unclipped", pairs, space, methods=(("BM3D", bm3d(sigma)),))
    real = list((val / "polyu_jpeg").glob("*_real.JPG"))
    yield Case(
        "denoise",
        "polyu_jpeg",
        "camera",
        lambda: photographed(real, lambda p: p.with_name(p.name.replace("_real", "_mean"))),
    )
    for quality in (10, 20, 40):
        for name, channels, space in (("Classic5", 1, "grey"), ("Set5", 3, "RGB")):
            pairs = lambda n=name, c=channels, q=quality: saved_as_jpeg(val / n, c, q)  # noqa: E731
            yield Case("dejpeg", name, f"q {quality}", pairs, space)
    yield Case("deblur", "Set14", "motion-blur", lambda: degraded(set14, "motion-blur", clean_share=0.0))
    yield Case("defocus", "Set14", "defocus", lambda: degraded(set14, "defocus", clean_share=0.0))
    for kind in ("rain-fog", "snow", "drops"):
        yield Case("weather", "Set14", kind, lambda k=kind: degraded(set14, k))
    hazy = list((val / "sots_indoor" / "hazy").iterdir())
    clear = val / "sots_indoor" / "clear"
    yield Case("weather", "sots_indoor", "haze", lambda: photographed(hazy, lambda p: clear / p.name))
    filters = tuple((name, demosaic(name)) for name in ("bilinear", "Malvar2004"))
    for folder in (set5, set14):
        pairs = lambda f=folder: degraded(f, "mosaic", noisy_share=0.0)  # noqa: E731
        yield Case("demosaic", folder.name, "rggb", pairs, methods=filters)
    for scale in (2, 3, 4):
        for folder in (set5, set14):
            pairs = lambda f=folder, s=scale: degraded(f, "downscale", s, scale=s)  # noqa: E731
            yield Case("upscale", folder.name, f"x{scale}", pairs, "Y", scale, (("bicubic", bicubic(scale)),))


def measure(case: Case, name: str, method: Method | None) -> dict[str, object]:
    """One row: the mean figures of the method's answers, or of the inputs themselves without one."""
    scores, start = [], time.perf_counter()
    for x, target in case.pairs():
        answer = x if method is None else (method(x).clip(0, 1) * 255).round() / np.float32(255)
        a, b = (luma(answer), luma(target)) if case.space == "Y" else (answer, target)
        scores.append((psnr(a, b, case.border), ssim(a, b, case.border)))
    psnr_db, similarity = np.mean(scores, axis=0)
    return {
        "task": case.task,
        "set": case.set,
        "condition": case.condition,
        "method": name,
        "pictures": len(scores),
        "space": case.space,
        "psnr_db": round(float(psnr_db), 2),
        "ssim": round(float(similarity), 4),
        "seconds": round(time.perf_counter() - start, 1),
    }


def main() -> None:
    """Measure the chosen tasks and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("UNSEAM_DATA", "../shared/data")))
    parser.add_argument("--tasks", nargs="*", choices=TASKS, help="only these tasks; default all")
    arguments = parser.parse_args()
    if not (arguments.data / "val").is_dir():
        parser.error(f"there is no folder {arguments.data / 'val'}: name the data folder with --data or UNSEAM_DATA")
    for case in tqdm([c for c in cases(arguments.data) if not arguments.tasks or c.task in arguments.tasks]):
        own = () if case.task in ("demosaic", "upscale") else (("input", None),)
        for name, method in (*own, *case.methods):
            print(json.dumps(measure(case, name, method)), flush=True)


if __name__ == "__main__":
    main()
