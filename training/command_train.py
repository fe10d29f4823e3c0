"""`unseam train RECIPE`: make a weight again, or go on with a run."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from training.arguments import at_least, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `unseam train`."""
    parser.add_argument("recipe", help="the name of a shipped recipe, or a recipe file")
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("UNSEAM_DATA"), help="folder of the training pictures"
    )
    parser.add_argument(
        "--run", type=Path, help="folder of the run (default runs/<name>); an existing one is gone on with"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument(
        "--hours",
        type=positive,
        help="end the schedule after so many hours, those of earlier starts counted",
    )
    parser.add_argument("--threads", type=at_least(1), help="CPU threads")
    parser.add_argument("--compile", action="store_true", help="compile the network first (worth it on a GPU)")
    parser.add_argument(
        "--init", type=Path, help="weights to start a new run from, in place of the recipe's `begins_from`"
    )


def run(args: argparse.Namespace) -> int:
    """Train, and say where the weights lie."""
    import torch

    from models import registry
    from training.batches import RecipeBatches
    from training.beginning import Beginning
    from training.checkpoint import BEST, alone_in
    from training.device import usable
    from training.recipe import Recipe, RecipeError
    from training.stopping import asked_to_stop
    from training.train import Trainer
    from training.validation import Validation

    if args.data is None:
        raise RecipeError("name the folder of the training pictures with --data or UNSEAM_DATA")
    recipe = Recipe.read(Path(args.recipe)) if args.recipe.endswith(".toml") else Recipe.named(args.recipe)
    if args.threads:
        torch.set_num_threads(args.threads)
    folder = args.run or Path("runs") / recipe.name
    init = args.init or (registry.find(recipe.begins_from).path if recipe.begins_from else None)
    beginning = Beginning.read(init) if init else None
    limit_s = args.hours * 3600 if args.hours else None
    device, data = usable(args.device), Path(args.data)
    batches, validation = RecipeBatches(recipe, data, device), Validation(recipe, data)
    with alone_in(folder), asked_to_stop() as asked:
        trainer = Trainer(recipe, batches, validation, folder, device, beginning)
        progress = trainer.train(limit_s, compiled=args.compile, stopping=asked)
    print(f"{recipe.name}: {progress.step} steps, best {progress.best_psnr:.2f} dB, {folder / BEST}")  # noqa: T201
    return 0
