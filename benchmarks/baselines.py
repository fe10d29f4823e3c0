"""What classical methods reach on the recipes' validation pictures: `python -m benchmarks.baselines [TASK ...]`.

The pictures, the damage done to them, the rounding to 8 bits and the figures are those of `unseam eval`. Writes
benchmarks/results/baselines.json, from which the README's table takes them; a task that is not named keeps its figures.
All tasks take about an hour of one core, BM3D nearly all of it. Needs the extra `benchmarks`; the bm3d package is free
for non-commercial use only.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from benchmarks import data_folder
from benchmarks.choice import Choice
from benchmarks.classical import Classical
from training.evaluate import Figures, compare, summary
from training.recipe import RECIPES, Recipe, ValidationSet
from training.validation import examples

RESULTS: Final = Path(__file__).parent / "results" / "baselines.json"


def told(recipe: Recipe, chosen: ValidationSet) -> Classical | None:
    """The one method that suits a validation set by definition, with what the set says of its damage."""
    if chosen.clean:
        return None
    white = chosen.degradation.get("gaussian", chosen.degradation)
    if recipe.task == "denoise" and "sigma" in white:
        return Classical("BM3D", {"sigma": white["sigma"][0]})
    if recipe.task == "demosaic":
        return Classical("Malvar", {})
    if recipe.task == "upscale":
        return Classical("bicubic", {"scale": recipe.degradation["scale"]})
    return None


def measure(recipe: Recipe, chosen: ValidationSet, method: Classical, data: Path) -> Figures:
    """Mean figures of a method's answers, rounded to 8 bits."""
    rows = []
    for example in tqdm(examples(recipe, chosen, data), desc=f"{recipe.name}, {chosen.name}", unit="picture"):
        rows.append(compare(method(example.degraded), example.target, chosen.border))
    return summary(rows)


def row(choice: Choice, chosen: ValidationSet) -> dict[str, Any]:
    """Figures and settings of a set's method, by its name, and on what it was chosen; empty where there is none."""
    recipe, data = choice.recipe, choice.data
    if method := told(recipe, chosen):
        return {method.name: asdict(measure(recipe, chosen, method, data)) | {"settings": method.settings}}
    if found := choice.of(chosen):
        method, training_side = found
        figures = asdict(measure(recipe, chosen, method, data))
        return {method.name: figures | {"settings": method.settings, "training_side": training_side}}
    return {}


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
        choice = Choice(recipe, arguments.data)
        for chosen in recipe.validation:
            if measured := row(choice, chosen):
                found = stored()
                found.setdefault(recipe.name, {})[chosen.name] = measured
                RESULTS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
