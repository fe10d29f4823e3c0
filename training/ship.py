"""From a finished run to a weight's card: measured, compared with the one it replaces, and calibrated."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from export import ladder
from export.manifest import Seams
from export.parity import answers
from export.pictures import Picture, dead_leaves
from export.seams import calibrate_rising
from models.build import create, load_weights
from models.registry import PATTERN, Card
from training import degradations
from training.checkpoint import origin
from training.evaluate import Figures, evaluate
from training.harm import COST_DB, LARGEST_SHIFT, LEAST_DB, costs_db, harmed
from training.recipe import Recipe, ValidationSet
from training.validation import HARMLESS_DB, examples, score

_CALIBRATED_ON = 4  # damaged pictures
_SAME_DB = 0.01  # devices round otherwise; other pictures or another damage differ by more


class ShipError(ValueError):
    """The weight is not shipped; the text says why."""


def measure(recipe: Recipe, weights: Path, data: Path, device: torch.device) -> dict[str, dict[str, Figures]]:
    """Measure weights on every validation set of their recipe."""
    network = create(recipe.network, recipe.config)
    load_weights(network, weights)
    network.to(device).eval()
    return {
        chosen.name: evaluate(network, examples(recipe, chosen, data), device, chosen.border, chosen.name)
        for chosen in recipe.validation
    }


def card_of(
    recipe: Recipe,
    weights: Path,
    figures: Mapping[str, Mapping[str, Figures]],
    cards: Iterable[Card],
    *,
    commit: str,
    license_note: str,
    default: bool = False,
) -> Card:
    """The card of a new weight, one version above the one that it replaces; its halo is not known yet.

    Its task's default it becomes by `default`, or where the task has no other.
    """
    earlier = [card for card in cards if card.name == recipe.name]
    version = max((card.version for card in earlier), default=0) + 1
    scale = create(recipe.network, recipe.config).scale
    rivals = [card for card in cards if (card.task, card.scale) == (recipe.task, scale) and card.name != recipe.name]
    return Card(
        name=recipe.name,
        version=version,
        task=recipe.task,
        network=recipe.network,
        config=recipe.config,
        weights=_file(recipe.name, version),
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        default=default or not any(card.default for card in rivals),
        scale=scale,
        recipe=recipe.name,
        data=recipe.data.about,
        commit=commit,
        license_note=license_note,
        began_from=origin(weights),
        pattern=PATTERN if recipe.task == "demosaic" else None,
        figures=_as_rows(figures),
    )


def measured_again(card: Card, figures: Mapping[str, Mapping[str, Figures]], *, commit: str) -> Card:
    """The card of shipped weights whose network answers otherwise than when they were measured, a version further.

    It is compared with nothing: the older answers are not to be had any more.
    """
    version = card.version + 1
    weights = _file(card.name, version)
    return replace(card, version=version, weights=weights, commit=commit, figures=_as_rows(figures))


def _file(name: str, version: int) -> str:
    return f"{name}-{version}.safetensors"


def _as_rows(figures: Mapping[str, Mapping[str, Figures]]) -> dict[str, dict[str, Any]]:
    return {name: {kind: asdict(row) for kind, row in both.items()} for name, both in figures.items()}


def calibrated(recipe: Recipe, weights: Path) -> Seams:
    """The halo that keeps tiled pictures within half an LSB of untiled ones, and how well it does.

    So no export has to search for it. It is measured on the torch network and the tiles of one pass, also on pictures
    damaged as the recipe has it: on a flawless one a network does little, and what it does reaches less far.
    """
    network = create(recipe.network, recipe.config)
    load_weights(network, weights)
    network.eval()
    tried = calibrate_rising(
        network,
        lambda tiles: answers(network, tiles),
        tqdm(ladder.usual(network.scale, network.lattice, one_pass=True), desc="halo", unit="tile size"),
        lambda pixels: _damaged(recipe, pixels * network.scale),
    )
    return tried[-1]


def _damaged(recipe: Recipe, pixels: int) -> list[Picture]:
    """Drawn pictures of `pixels` a side, before they are damaged."""
    flawless = torch.from_numpy(dead_leaves(pixels, 3)).permute(2, 0, 1)
    damaged, _ = degradations.create(**recipe.degradation)(
        flawless.expand(_CALIBRATED_ON, -1, -1, -1), torch.Generator().manual_seed(0)
    )
    return [picture.permute(1, 2, 0).numpy() for picture in damaged.clamp(0, 1)]


def check_worthy(card: Card, cards: Iterable[Card], sets: Sequence[ValidationSet]) -> None:
    """Raise ShipError unless a weight restores, and does no more harm and better than the one of its name, if any."""
    old = next((other for other in cards if other.name == card.name), None)
    check_restores(card, sets)
    check_harmless(card, old, sets)
    if old:
        check_better(card, old, sets)


def check_restores(card: Card, sets: Iterable[ValidationSet]) -> None:
    """Raise ShipError for figures that are not finite, and for a mean PSNR that is not above that of the sets' input.

    Clean sets do not count. Those whose input has another size than its target have no figures of the input.
    """
    if odd := [name for name, both in card.figures.items() if not all(map(math.isfinite, both["restored"].values()))]:
        raise ShipError(f"{card.name}: figures that are not finite on {', '.join(odd)}")
    damaged = [chosen for chosen in sets if not chosen.clean and "input" in card.figures[chosen.name]]
    restored, untouched = (score(_psnr(card, damaged, kind), damaged) for kind in ("restored", "input"))
    if damaged and restored <= untouched:
        raise ShipError(
            f"{card.name}: {restored:.3f} dB on average is not better than the pictures as they came, "
            f"{untouched:.3f} dB"
        )


def check_better(new: Card, old: Card, sets: Iterable[ValidationSet]) -> None:
    """Raise ShipError unless the score over the sets that both cards name has grown, measured on the same pictures.

    From the score goes what harm costs, so that a weight that mends it may restore a little less.
    Of `sets`, the new card's, some may be new, and some of the old card's may be gone; one must be left, and not clean.
    """
    shared = [chosen for chosen in sets if chosen.name in old.figures]
    if all(chosen.clean for chosen in shared):
        raise ShipError(f"{new.name}: version {old.version} was measured on other sets: there is nothing to compare by")
    if other := [chosen.name for chosen in shared if not _same_pictures(new, old, chosen)]:
        raise ShipError(f"{', '.join(other)}: other pictures or damage than version {old.version} was measured on")
    is_now, was = (score(_psnr(card, shared), shared) - costs_db(card.figures, shared) for card in (new, old))
    if is_now <= was:
        raise ShipError(
            f"{new.name}: {is_now:.3f} dB on average is not better than version {old.version}, {was:.3f} dB "
            f"(less what clean pictures lack to {HARMLESS_DB:g} dB, and {COST_DB:g} times the share it harms)"
        )


def check_harmless(new: Card, old: Card | None, sets: Iterable[ValidationSet]) -> None:
    """Raise ShipError for a weight that harms clean pictures, unless it takes the place of one that harmed as many."""
    if names := harmed(new.figures, old.figures if old else None, sets):
        rows = [new.figures[name]["restored"] for name in names]
        least, shift = min(row["least_psnr_rgb_db"] for row in rows), max(row["shift"] for row in rows)
        raise ShipError(
            f"{new.name}: {sum(row['changed'] for row in rows)} clean pictures of {', '.join(names)} are left with "
            f"down to {least:.1f} dB ({LEAST_DB:g} are asked for) or their colours shifted by up to {shift:.2f} of 255 "
            f"(less than {LARGEST_SHIFT:g})"
        )


def _same_pictures(new: Card, old: Card, chosen: ValidationSet) -> bool:
    """Whether both cards were measured on as many pictures that came equally damaged, as far as the cards tell."""
    rows = [card.figures[chosen.name] for card in (new, old)]
    described = [(row["restored"]["pictures"], "input" in row) for row in rows]
    if described[0] != described[1] or "input" not in rows[0]:
        return described[0] == described[1]
    first, second = (_psnr(card, [chosen], "input")[chosen.name] for card in (new, old))
    return math.isclose(first, second, abs_tol=_SAME_DB)


def _psnr(card: Card, sets: Sequence[ValidationSet], kind: str = "restored") -> dict[str, float]:
    """PSNR in dB of each set, of its Y or its RGB, whichever it is judged by."""
    keys = {chosen.name: "psnr_y_db" if chosen.luma else "psnr_rgb_db" for chosen in sets}
    return {name: float(card.figures[name][kind][key]) for name, key in keys.items()}
