"""`unseam ship RECIPE`: measure a run's best weights and, if they are better, put them among the shipped ones.

`--again` measures those that are shipped, so that their card tells how a network that was changed answers with them.
"""

from __future__ import annotations

import argparse
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.registry import Card

CURVES = Path(__file__).parent / "curves"  # the runs' loss and PSNR as pictures, for people
LICENSE_NOTE = "trained on photographs that keep their makers' terms (research use by custom)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `unseam ship`."""
    parser.add_argument("recipe", help="the name of a shipped recipe")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", type=Path, help="folder of the run (default runs/<name>)")
    which.add_argument("--again", action="store_true", help="the shipped weights, after a change of their network")
    parser.add_argument("--data", default=os.environ.get("UNSEAM_DATA"), help="folder of the recipe's pictures")
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--default", action="store_true", help="make it what its task uses when no model is named")
    parser.add_argument("--license-note", help=f"the terms of what it was trained on (default: {LICENSE_NOTE})")


def run(args: argparse.Namespace) -> int:
    """Measure, compare, enter; say what was measured."""
    from models import registry
    from training.checkpoint import BEST
    from training.device import usable
    from training.entry import enter
    from training.provenance import code
    from training.recipe import Recipe, RecipeError
    from training.ship import calibrated, card_of, check_worthy, measure, measured_again

    if args.data is None:
        raise RecipeError("name the folder of the recipe's pictures with --data or UNSEAM_DATA")
    if args.again and (args.default or args.license_note):
        raise RecipeError("--again keeps what the card says: --default and --license-note are for new weights")
    recipe = Recipe.named(args.recipe)
    run_folder = args.run or Path("runs") / recipe.name
    weights = registry.find(recipe.name).path if args.again else run_folder / BEST
    figures = measure(recipe, weights, Path(args.data), usable(args.device))
    commit = code(Path(__file__))
    if args.again:
        card = measured_again(registry.find(recipe.name), figures, commit=commit)
    else:
        card = card_of(
            recipe,
            weights,
            figures,
            registry.cards(),
            commit=commit,
            license_note=args.license_note or LICENSE_NOTE,
            default=args.default,
        )
        check_worthy(card, registry.cards(), recipe.validation)
    seams = calibrated(recipe, weights)
    card = replace(card, halo=seams.halo, seams=seams.model_dump())
    enter(card, weights, registry.WEIGHTS)
    if not args.again:
        _keep(run_folder, card)
    for name, both in figures.items():
        for kind, row in both.items():
            means = f"{row.psnr_y_db:.2f} dB (Y)  {row.psnr_rgb_db:.2f} dB (RGB)"
            worst = f"least {row.least_psnr_rgb_db:.2f} dB, shift {row.shift:.2f}"
            print(f"{name:16} {kind:9} {means}  {worst}, {row.changed} changed")  # noqa: T201
    print(f"shipped {card.weights}")  # noqa: T201
    return 0


def _keep(run_folder: Path, card: Card) -> None:
    """Keep how the run went: its validations, and its curves as a picture."""
    from training.history import keep

    keep(run_folder, card.name, goes_on=(card.began_from or "").startswith(f"{card.name}-"))
    curves = run_folder / "curves.png"
    if curves.exists():
        CURVES.mkdir(exist_ok=True)
        shutil.copyfile(curves, CURVES / f"{card.name}.png")
