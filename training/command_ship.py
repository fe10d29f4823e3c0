"""`unseam ship RECIPE`: measure a run's best weights and, if they are better, put them among the shipped ones."""

from __future__ import annotations

import argparse
import os
import shutil
from dataclasses import replace
from pathlib import Path

CURVES = Path(__file__).parent / "curves"  # the runs' loss and PSNR as pictures, for people
LICENSE_NOTE = "trained on photographs that keep their makers' terms (research use by custom)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `unseam ship`."""
    parser.add_argument("recipe", help="the name of a shipped recipe")
    parser.add_argument("--run", type=Path, help="folder of the run (default runs/<name>)")
    parser.add_argument("--data", default=os.environ.get("UNSEAM_DATA"), help="folder of the recipe's pictures")
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--default", action="store_true", help="make it what its task uses when no model is named")
    parser.add_argument("--license-note", default=LICENSE_NOTE, help="the terms of what it was trained on")


def run(args: argparse.Namespace) -> int:
    """Measure, compare, enter; say what was measured."""
    from models import registry
    from training.checkpoint import BEST
    from training.device import usable
    from training.entry import enter
    from training.history import keep
    from training.provenance import code
    from training.recipe import Recipe, RecipeError
    from training.ship import calibrated, card_of, check_better, check_harmless, check_restores, measure

    if args.data is None:
        raise RecipeError("name the folder of the recipe's pictures with --data or UNSEAM_DATA")
    recipe = Recipe.named(args.recipe)
    weights = (args.run or Path("runs") / recipe.name) / BEST
    figures = measure(recipe, weights, Path(args.data), usable(args.device))
    card = card_of(
        recipe,
        weights,
        figures,
        registry.cards(),
        commit=code(Path(__file__)),
        license_note=args.license_note,
        default=args.default,
    )
    check_restores(card, recipe.validation)
    old = next((other for other in registry.cards() if other.name == card.name), None)
    check_harmless(card, old, recipe.validation)
    if old:
        check_better(card, old, recipe.validation)
    seams = calibrated(recipe, weights)
    card = replace(card, halo=seams.halo, seams=seams.model_dump())
    enter(card, weights, registry.WEIGHTS)
    keep(weights.parent, card.name, goes_on=(card.began_from or "").startswith(f"{card.name}-"))
    curves = weights.with_name("curves.png")
    if curves.exists():
        CURVES.mkdir(exist_ok=True)
        shutil.copyfile(curves, CURVES / f"{card.name}.png")
    for name, both in figures.items():
        for kind, row in both.items():
            means = f"{row.psnr_y_db:.2f} dB (Y)  {row.psnr_rgb_db:.2f} dB (RGB)"
            worst = f"least {row.least_psnr_rgb_db:.2f} dB, shift {row.shift:.2f}"
            print(f"{name:16} {kind:9} {means}  {worst}, {row.changed} changed")  # noqa: T201
    print(f"shipped {card.weights}")  # noqa: T201
    return 0
