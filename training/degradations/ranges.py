"""Ranges that a degradation draws its parameters from: checked when it is made, drawn one value a picture."""

from __future__ import annotations

import math
from dataclasses import fields

import torch
from torch import Tensor

Range = tuple[float, float]


class DegradationError(ValueError):
    """A degradation was asked for something it cannot mean; the text says what is allowed."""


def check_range(name: str, limits: Range, low: float, high: float) -> None:
    """Raise DegradationError unless `limits` is (a, b) with low <= a <= b <= high, all finite."""
    if len(limits) != 2 or not low <= limits[0] <= limits[1] <= high or not all(map(math.isfinite, limits)):
        raise DegradationError(f"{name} must be a range (a, b) with {low:g} <= a <= b <= {high:g}, not {limits}")


def check_shares(degradation: object) -> None:
    """Raise DegradationError unless every field named `*_share` is a probability and those of one name sum to <= 1."""
    for field in fields(degradation):  # type: ignore[arg-type]
        value = getattr(degradation, field.name)
        if field.name.endswith("_share") and not 0.0 <= value <= 1.0:
            raise DegradationError(f"{field.name} must be a probability in 0..1, not {value}")


def uniform(generator: torch.Generator, limits: Range, *shape: int) -> Tensor:
    """Draw float32 values uniform in [a, b) on the generator's device."""
    low, high = limits
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def log_uniform(generator: torch.Generator, limits: Range, *shape: int) -> Tensor:
    """Draw float32 values whose logarithm is uniform in [a, b); a > 0. For what is perceived in ratios."""
    return uniform(generator, (math.log(limits[0]), math.log(limits[1])), *shape).exp()


def chosen(generator: torch.Generator, share: float, batch: int) -> Tensor:
    """Draw (B, 1, 1, 1) booleans, each true with probability `share`."""
    return torch.rand((batch, 1, 1, 1), generator=generator, device=generator.device) < share
