"""A recipe: everything that decides what a training run learns, read from one TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt


class RecipeError(ValueError):
    """The recipe cannot be used; the text says why."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Phase(_Part):
    """Crops of `patch` pixels in batches of `batch`, until this share of the run is done."""

    until: float = Field(gt=0, le=1)
    patch: PositiveInt
    batch: PositiveInt


class Schedule(_Part):
    """AdamW with a cosine from `lr` to `lr_last` after a linear warm-up; `ema` is the decay of the averaged weights."""

    steps: PositiveInt
    phases: tuple[Phase, ...]
    lr: PositiveFloat
    lr_last: PositiveFloat = 1e-6
    warmup_steps: PositiveInt = 200
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-4
    clip_norm: PositiveFloat = 0.5
    ema: float = Field(default=0.999, ge=0, lt=1)
    validate_every: PositiveInt = 500


class Data(_Part):
    """Folders below the data folder; `held_out` pairs (paths in `pairs`) and their photographs are never trained on."""

    clean: tuple[str, ...]
    pairs: str | None = None
    held_out: tuple[str, ...] = ()


class Recipe(_Part):
    """One trained weight."""

    name: str
    task: str
    network: str
    config: str
    seed: int = 0
    loss: Literal["l1", "charbonnier", "charbonnier-edge"] = "l1"
    data: Data
    degradation: dict[str, Any]
    schedule: Schedule

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a recipe file. Raises RecipeError, with what is wrong, for a file that is not one."""
        try:
            table: Mapping[str, Any] = tomllib.loads(path.read_text())
            return cls(**table)
        except (OSError, ValueError) as error:
            raise RecipeError(f"{path}: {error}") from error
