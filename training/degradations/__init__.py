"""Degradations made on the fly from clean pictures: a recipe names one, and its fields, in TOML.

Each is a frozen dataclass whose fields are checked when it is made, called with clean sRGB pictures (B, 3, H, W),
float32 in 0..1, and a generator; it returns (input, target) on the pictures' device. The generator may live on the CPU
or on their device; one seed gives one result, and a CPU generator the same numbers on either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from training.degradations.ranges import DegradationError

Degradation = Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]

# By name: a recipe loads the one it uses.
DEGRADATIONS = {
    "rain": "training.degradations.rain.Rain",
    "noise": "training.degradations.noise.GaussianNoise",
    "camera-noise": "training.degradations.camera.CameraNoise",
    "mixed-noise": "training.degradations.mixed_noise.MixedNoise",
    "jpeg": "training.degradations.jpeg.Jpeg",
    "motion-blur": "training.degradations.blur.MotionBlur",
    "defocus": "training.degradations.defocus.Defocus",
    "rain-fog": "training.degradations.rain_fog.RainFog",
    "snow": "training.degradations.snow.Snow",
    "drops": "training.degradations.drops.Drops",
    "haze": "training.degradations.haze.Haze",
    "weather": "training.degradations.weather.Weather",
    "mosaic": "training.degradations.mosaic.Mosaic",
    "downscale": "training.degradations.resize.Downscale",
}


def takes(kind: str, name: str) -> bool:
    """Whether the degradation `kind` has a field of this name. Raises DegradationError for an unknown kind."""
    return name in {field.name for field in fields(_default(kind))}


def create(kind: str, **options: Any) -> Degradation:
    """Build the degradation `kind` of DEGRADATIONS from a recipe's options: lists are ranges, tables are parts.

    A part is a field that is a degradation itself (`[degradation.snow]`); the fields its table leaves out keep the
    values that the whole gives it. Raises DegradationError for an unknown kind or field, or a value not allowed.
    """
    made: Degradation = _changed(kind, _default(kind), options)
    return made


def _default(kind: str) -> Any:
    if kind not in DEGRADATIONS:
        raise DegradationError(f"there is no degradation {kind!r}; there are {', '.join(DEGRADATIONS)}")
    module, _, name = DEGRADATIONS[kind].rpartition(".")
    return getattr(import_module(module), name)()


def _changed(name: str, part: Any, options: dict[str, Any]) -> Any:
    """Copy the dataclass `part` with the fields that `options` names changed."""
    if not is_dataclass(part):
        raise DegradationError(f"{name} takes a value, not a table")
    known = [field.name for field in fields(part)]
    changes = {}
    for key, value in options.items():
        if key not in known:
            raise DegradationError(f"{name} has no field {key!r}; it has {', '.join(known)}")
        if isinstance(value, dict):
            changes[key] = _changed(f"{name}.{key}", getattr(part, key), value)
        elif is_dataclass(getattr(part, key)):
            raise DegradationError(f"{name}.{key} takes a table, not {value}")
        else:
            changes[key] = _frozen(value)
    return replace(part, **changes)  # type: ignore[type-var]


def _frozen(value: Any) -> Any:
    """A value of TOML as the dataclasses have it: tuples for lists, in lists too."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
