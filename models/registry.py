"""Model cards: what every shipped weight is, read from weights/registry.toml. Imports no torch."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

WEIGHTS = Path(__file__).parent / "weights"
REGISTRY = "registry.toml"  # in `WEIGHTS`
PATTERN = "rggb"  # the mosaic that every demosaicking network takes, row by row; others are shifted to it


class UnknownModelError(ValueError):
    """No shipped model has that name or serves that task; the text says which there are."""


@dataclass(frozen=True)
class Card:
    """One trained weight.

    Attributes:
        name: what `model=` and `unseam export` take.
        version: grows with every new weight under the name.
        task: what it restores.
        network, config: architecture and its configuration in `models/<network>/model.py`.
        weights, sha256: file in models/weights and its digest.
        default: whether the task uses it when no model is named.
        scale: output side over input side.
        recipe: training recipe; `unseam train` with it makes a weight of this kind. What this one went through, perhaps
            in several goes, training/LOG.md tells.
        data, commit, license_note: what it was trained on, by which code, and on what terms.
        began_from: name and version of the weight that its run began with, if any.
        halo: input pixels around a tile's core that keep tiled pictures within half an LSB of untiled ones, or come as
            near as tiles allow; calibrated when the weight was shipped, None where that was not done.
        seams: what tiles with that halo differ from untiled pictures by, with the fields of `export.manifest.Seams`;
            None where that was not kept.
        pattern: of the mosaic, row by row, where the network takes one.
        figures: measured PSNR (dB) and SSIM by set, with the input's beside them.
    """

    name: str
    version: int
    task: str
    network: str
    config: str
    weights: str
    sha256: str
    default: bool
    scale: int
    recipe: str
    data: str
    commit: str
    license_note: str
    began_from: str | None = None
    halo: int | None = None
    seams: dict[str, Any] | None = None
    pattern: str | None = None
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where the weights lie."""
        return WEIGHTS / self.weights


def read(registry: Path) -> tuple[Card, ...]:
    """The cards of a `registry.toml`, in its order."""
    table = tomllib.loads(registry.read_text(encoding="utf-8"))
    return tuple(Card(**row) for row in table.get("model", []))


@cache
def cards() -> tuple[Card, ...]:
    """Every shipped card, in the registry's order."""
    return read(WEIGHTS / REGISTRY)


def find(name: str) -> Card:
    """Return the card of that name; raises UnknownModelError."""
    for card in cards():
        if card.name == name:
            return card
    raise UnknownModelError(f"there is no model {name!r}; there are {', '.join(card.name for card in cards())}")


def for_task(task: str, scale: int = 1) -> Card:
    """Return the default card of a task; raises UnknownModelError."""
    fitting = [card for card in cards() if card.task == task and card.scale == scale]
    if not fitting:
        tasks = ", ".join(sorted({card.task for card in cards()}))
        raise UnknownModelError(f"no model does {task!r} at scale {scale}; there are models for {tasks}")
    return next((card for card in fitting if card.default), fitting[0])
