"""A weight that is to be shipped enters the registry, beside whatever else was shipped meanwhile."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from models.registry import REGISTRY, Card, read

HEADER = "# One [[model]] table per shipped weight, written by `unseam ship`; see models/registry.py for the fields.\n"


class EntryError(ValueError):
    """The weight does not enter; the text says why."""


def enter(card: Card, weights: Path, folder: Path) -> None:
    """Put the weights into `folder` and the card into its registry, in place of the same name's; the old file goes.

    A task has one default: a new one takes the place of the old. Whatever other weights were shipped since the card
    was made stay; raises EntryError if one of them took its place.
    """
    with FileLock(folder / f".{REGISTRY}.lock"):
        cards = read(folder / REGISTRY)
        if taken := next((other for other in cards if other.weights == card.weights), None):
            raise EntryError(
                f"version {taken.version} of {card.name} was shipped meanwhile; this one was not compared to it"
            )
        _enter(card, weights, cards, folder)


def _enter(card: Card, weights: Path, cards: Sequence[Card], folder: Path) -> None:
    kept = [
        replace(other, default=False)
        if card.default and (other.task, other.scale) == (card.task, card.scale)
        else other
        for other in cards
        if other.name != card.name
    ]
    ordered = sorted([*kept, card], key=lambda each: (each.task, each.scale, not each.default, each.name))
    text = HEADER + "".join(as_toml(each) for each in ordered)
    tomllib.loads(text)  # what could not be read again would take every command with it
    shutil.copyfile(weights, folder / card.weights)
    (folder / card.weights).chmod(0o644)
    registry = folder / REGISTRY
    partial = registry.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(registry)
    for old in cards:
        if old.name == card.name and old.weights != card.weights:
            (folder / old.weights).unlink(missing_ok=True)


def as_toml(card: Card) -> str:
    """A card as a [[model]] table."""
    plain = [
        f"{field.name} = {_value(value)}"
        for field in fields(card)
        if field.name != "figures" and (value := getattr(card, field.name)) is not None
    ]
    tables = [
        f"\n[model.figures.{_value(name)}]\n" + "".join(f"{kind} = {_value(row)}\n" for kind, row in both.items())
        for name, both in card.figures.items()
    ]
    return "\n[[model]]\n" + "\n".join(plain) + "\n" + "".join(tables)


def _value(value: str | float | Mapping[str, Any]) -> str:
    """As TOML has it; strings, numbers and booleans as JSON does, but for surrogate pairs and a bare delete."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(one)}" for key, one in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False, allow_nan=False).replace("\x7f", "\\u007f")
