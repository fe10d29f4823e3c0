"""What classical methods reach on the recipes' validation pictures: `python -m benchmarks.baselines [TASK ...]`.

The pictures, the damage done to them, the rounding to 8 bits and the figures are those of `unseam eval`. Writes
benchmarks/results/baselines.json, from which the README's table takes them; a task that is not named keeps its figures.
Needs the extra `benchmarks`; the bm3d package is free for non-commercial use only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks import data_folder
from training.degradations.resize import imresize
from training.evaluate import Figures, compare, summary
from training.recipe import RECIPES, Recipe, ValidationSet
from training.validation import examples

RESULTS: Final = Path(__file__).parent / "results" / "baselines.json"

Array = NDArray[np.float32]
Method = Callable[[Array], Array]


def bm3d(sigma: float) -> Method:
    """BM3D (Dabov et al., 2007; colour by C-BM3D) told the true deviation, in steps of 255.

    Three equal channels, whose noise is equal too, are one grey picture: C-BM3D expects each channel its own noise.
    """

    def denoise(x: Array) -> Array:
        import bm3d  # here: the other tasks do without the package

        if (x == x[..., :1]).all():
            return np.repeat(bm3d.bm3d(x[..., 0], sigma / 255).astype(np.float32)[..., None], x.shape[2], axis=2)
        answer: Array = bm3d.bm3d_rgb(x, sigma / 255).reshape(x.shape).astype(np.float32)
        return answer

    return denoise


def malvar(x: Array) -> Array:
    """The gradient-corrected linear interpolation of Malvar, He and Cutler (2004)."""
    from colour_demosaicing import demosaicing_CFA_Bayer_Malvar2004  # here: the other tasks do without the package

    answer: Array = demosaicing_CFA_Bayer_Malvar2004(x[..., 0], "RGGB").astype(np.float32)
    return answer


def bicubic(scale: int) -> Method:
    """MATLAB's imresize."""
    return lambda x: imresize(torch.from_numpy(x).permute(2, 0, 1), scale).permute(1, 2, 0).numpy()


def methods(recipe: Recipe, chosen: ValidationSet) -> Mapping[str, Method]:
    """The classical methods for one of a recipe's validation sets."""
    if chosen.clean:
        return {}
    white = chosen.degradation.get("gaussian", chosen.degradation)
    if recipe.task == "denoise" and "sigma" in white:
        return {"BM3D": bm3d(white["sigma"][0])}
    if recipe.task == "demosaic":
        return {"Malvar": malvar}
    if recipe.task == "upscale":
        return {"bicubic": bicubic(recipe.degradation["scale"])}
    return {}


def measure(recipe: Recipe, chosen: ValidationSet, method: Method, data: Path) -> Figures:
    """Mean figures of a method's answers, rounded to 8 bits."""
    rows = []
    for example in tqdm(examples(recipe, chosen, data), desc=f"{recipe.name}, {chosen.name}", unit="picture"):
        answer = (method(example.degraded).clip(0, 1) * 255).round() / np.float32(255)
        rows.append(compare(answer, example.target, chosen.border))
    return summary(rows)


def stored() -> dict[str, Any]:
    """Figures by recipe, validation set and method, as measured last."""
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return found


def main() -> None:
    """Measure the named tasks, or all, and store their figures set by set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", metavar="TASK", help="only these tasks (default all)")
    arguments = data_folder.parsed(parser)
    for recipe in (Recipe.read(path) for path in sorted(RECIPES.glob("*.toml"))):
        if arguments.tasks and recipe.task not in arguments.tasks:
            continue
        for chosen in recipe.validation:
            for name, method in methods(recipe, chosen).items():
                found = stored()
                figures = asdict(measure(recipe, chosen, method, arguments.data))
                found.setdefault(recipe.name, {}).setdefault(chosen.name, {})[name] = figures
                RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
