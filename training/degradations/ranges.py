"""What a degradation's fields may be, checked when it is made."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass

Range = tuple[float, float]


class DegradationError(ValueError):
    """A degradation was asked for something it cannot do; the text says what is allowed."""


def check_range(name: str, limits: Range, low: float, high: float) -> None:
    """Raise DegradationError unless `limits` is a pair (a, b) of finite numbers with low <= a <= b <= high."""
    numbers = isinstance(limits, tuple) and len(limits) == 2 and all(isinstance(x, int | float) for x in limits)
    if not numbers or not all(map(math.isfinite, limits)) or not low <= limits[0] <= limits[1] <= high:
        raise DegradationError(f"{name} must be a range (a, b) with {low:g} <= a <= b <= {high:g}, not {limits}")


def check_shares(degradation: object) -> None:
    """Raise DegradationError unless every field of the dataclass named `*_share` is a probability."""
    assert is_dataclass(degradation)
    for field in fields(degradation):
        value = getattr(degradation, field.name)
        if field.name.endswith("_share") and not (isinstance(value, int | float) and 0 <= value <= 1):
            raise DegradationError(f"{field.name} must be a probability in 0..1, not {value}")
