"""First, do no harm: what a network may do to pictures that need nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from training.recipe import ValidationSet

LEAST_DB: Final = 38.0  # of every picture, RGB
LARGEST_SHIFT: Final = 0.3  # of the mean of any channel, 0..255
COST_DB: Final = 0.2  # of restoration, that may be given up so that none of a set's pictures is harmed any more

Row = Mapping[str, Any]  # Figures, as a card has them


def changed(psnr_rgb_db: float, shift: float) -> bool:
    """Whether a picture is that far from what it should be that, where it was clean, it is harmed."""
    return psnr_rgb_db < LEAST_DB or shift >= LARGEST_SHIFT


def costs_db(figures: Mapping[str, Mapping[str, Row]], sets: Iterable[ValidationSet]) -> float:
    """What the share of harmed pictures in clean sets counts for in decibels, as far as their figures tell it."""
    rows = [figures[chosen.name]["restored"] for chosen in sets if chosen.clean]
    return COST_DB * sum(_share(row) for row in rows if "changed" in row)


def harmed(
    new: Mapping[str, Mapping[str, Row]], old: Mapping[str, Mapping[str, Row]] | None, sets: Iterable[ValidationSet]
) -> list[str]:
    """Names of the clean sets that forbid to ship a card with the figures `new`, in place of one with `old` if any.

    A first weight must harm no picture, another not more of them than the one before, so that harm can be mended step
    by step. Where the older card does not count them, there is nothing to compare by.
    """
    found = []
    for name in (chosen.name for chosen in sets if chosen.clean):
        before = {"changed": 0, "pictures": 1} if old is None else old.get(name, {}).get("restored", {})
        if "changed" in before and _share(new[name]["restored"]) > _share(before):
            found.append(name)
    return found


def _share(row: Row) -> float:
    return float(row["changed"] / row["pictures"])
