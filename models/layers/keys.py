"""Renaming the keys of a published checkpoint, and reading its constructor's arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from models.layers.windows import Size

Rules = tuple[tuple[str, str | None], ...]
PREFIXES = ("module.", "model_g.", "model.", "params.")
IGNORED = ("drop", "checkpoint", "norm_layer", "init_method", "offload_to_cpu", "args")  # no part of inference


def rename(published: Mapping[str, Tensor], rules: Rules) -> dict[str, Tensor]:
    """Apply every rule (pattern, replacement) in turn to every key; a pattern that maps to None drops the key.

    Prefixes that training frameworks put before all keys are taken off first.
    """
    renamed = {}
    for key, tensor in published.items():
        name: str | None = key
        while name and name.startswith(PREFIXES):
            name = name.split(".", 1)[1]
        for pattern, replacement in rules:
            if name is None:
                break
            name = re.sub(pattern, replacement, name) if replacement is not None else _unless(pattern, name)
        if name is not None:
            renamed[name] = tensor
    return renamed


def refuse_others(arguments: Mapping[str, Any], fixed: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Raise ValueError where an argument is unknown, or differs from the only value that our network has."""
    for name, value in arguments.items():
        if name in fixed:
            if value != fixed[name]:
                raise ValueError(f"{name}={value!r} is not supported; {fixed[name]!r} is")
        elif name not in known and not any(part in name for part in IGNORED):
            raise ValueError(f"argument {name!r} is not known")


def pair(side: int | list[int] | tuple[int, ...]) -> Size:
    """Return (height, width) from one side or from two."""
    if isinstance(side, int):
        return side, side
    height, width = side
    return height, width


def _unless(pattern: str, name: str) -> str | None:
    return None if re.search(pattern, name) else name
