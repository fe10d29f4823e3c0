"""`unseam eval NAME [DIR]`: PSNR and SSIM of a network, on a folder of pairs or on its recipe's own validation sets."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from pathlib import Path

from imaging.mosaic import PATTERNS
from training.arguments import at_least


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `unseam eval`."""
    parser.add_argument("name", help="a model, as `unseam models list` names them")
    parser.add_argument(
        "dir", type=Path, nargs="?", help="folder with input/ and target/; without it, the recipe's validation sets"
    )
    parser.add_argument("--data", help="folder of the recipe's pictures (default $UNSEAM_DATA; without DIR)")
    parser.add_argument("--weights", type=Path, help="other weights for the same network, such as a run's best")
    parser.add_argument("--border", type=at_least(0), default=0, help="pixels left out on every side (with DIR)")
    parser.add_argument("--pattern", choices=PATTERNS, help="of the mosaics in DIR (default: the network's own)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Measure, and print a line (or JSON) per set."""
    from models.build import load, load_weights
    from models.registry import find
    from training.device import usable
    from training.evaluate import evaluate, folder_examples
    from training.recipe import Recipe, RecipeError
    from training.shifted import Shifted
    from training.validation import examples

    card = find(args.name)
    if args.dir and args.data:
        raise RecipeError("name a folder of pairs or that of the recipe's pictures (--data), not both")
    if args.pattern and not (card.pattern and args.dir):
        raise RecipeError("--pattern says what the mosaics of a folder are, for a model that takes mosaics")
    device = usable(args.device)
    network = load(card).to(device)
    if args.weights:
        load_weights(network, args.weights)
    if card.pattern and args.pattern:
        network = Shifted(network, card.pattern, args.pattern)
    if args.dir:
        name = args.dir.resolve().name
        sets = {name: evaluate(network, folder_examples(args.dir, network.in_channels), device, args.border, name)}
    elif data := args.data or os.environ.get("UNSEAM_DATA"):
        recipe = Recipe.named(card.recipe)
        sets = {
            chosen.name: evaluate(network, examples(recipe, chosen, Path(data)), device, chosen.border, chosen.name)
            for chosen in recipe.validation
        }
    else:
        raise RecipeError("name a folder of pairs, or the folder of the recipe's pictures with --data or UNSEAM_DATA")
    measured = {name: {kind: asdict(figures) for kind, figures in both.items()} for name, both in sets.items()}
    if args.json:
        print(json.dumps({args.name: measured}))  # noqa: T201
        return 0
    for name, both in measured.items():
        for kind, row in both.items():
            y, rgb = f"Y {row['psnr_y_db']:.2f} dB / {row['ssim_y']:.4f}", f"RGB {row['psnr_rgb_db']:.2f} dB"
            worst = f"least {row['least_psnr_rgb_db']:.2f} dB, shift {row['shift']:.2f}"
            told = f"{row['pictures']} pictures, {worst}, {row['changed']} changed"
            print(f"{name:12} {kind:9} {y}   {rgb} / {row['ssim_rgb']:.4f}   {told}")  # noqa: T201
    return 0
