"""A recipe: everything that decides what a training run learns, read from one TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator, model_validator

RECIPES = Path(__file__).parent / "recipes"


class RecipeError(ValueError):
    """The recipe cannot be used; the text says why."""


Beta = Annotated[float, Field(ge=0, lt=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Phase(_Part):
    """Crops of `patch` pixels in batches of `batch`, judged by `loss`, until this share of the run is done.

    `colour_shift` is what it costs besides to shift the means of a damaged crop, in units of the loss over those of the
    picture; for damage that hardly does so itself.
    `degradation` changes fields of the recipe's, and fields of its parts: what is easier may come first.
    """

    until: float = Field(gt=0, le=1)
    patch: PositiveInt
    batch: PositiveInt
    loss: Literal["l1", "log-l1", "log-mse", "charbonnier", "charbonnier-edge"] = "log-l1"
    colour_shift: float = Field(default=0, ge=0)
    degradation: dict[str, Any] = {}


class Schedule(_Part):
    """A cosine from `lr` to `lr_last` after a linear warm-up; `ema` is the decay of the averaged weights.

    `optimizer` is AdamW, or Muon for matrices and AdamW for all else (`training.optimizer`); `betas` are AdamW's.
    One phase at least, each until later than the one before.
    """

    steps: PositiveInt
    phases: tuple[Phase, ...] = Field(min_length=1)
    lr: PositiveFloat
    lr_last: PositiveFloat = 1e-6
    warmup_steps: PositiveInt = 200
    optimizer: Literal["adamw", "muon"] = "adamw"
    betas: tuple[Beta, Beta] = (0.9, 0.99)
    weight_decay: float = Field(default=1e-4, ge=0)
    clip_norm: PositiveFloat = 0.5
    ema: float = Field(default=0.999, ge=0, lt=1)
    validate_every: PositiveInt = 500

    @model_validator(mode="after")
    def _one_after_the_other(self) -> Self:
        ends = [phase.until for phase in self.phases]
        if any(later <= earlier for earlier, later in pairwise(ends)):
            raise ValueError(f"phases last until {', '.join(map(str, ends))}: each must end later than the one before")
        return self


class Data(_Part):
    """Folders below the data folder, and in words what they hold.

    `pages` drawn pages (`training.pages`) join the pictures of `clean`. `held_out` pairs (paths in `pairs`) and their
    photographs are never trained on.
    """

    about: str
    clean: tuple[str, ...]
    pages: int = Field(default=0, ge=0)
    pairs: str | None = None
    held_out: tuple[str, ...] = ()


class ValidationSet(_Part):
    """Pictures that are never trained on.

    Either the held-out pairs of the set `pairs`; or the clean pictures of `folder` (all, or those that `pictures`
    names), or so many drawn `pages`, degraded by the recipe's degradation with the fields of `degradation` changed; or,
    with `input` and `target`, pairs of files in `folder` whose paths these are, but for the part that the `*` in both
    stands for. With `clean` the input is the clean picture itself: does it stay as it is? Clean pictures are cut to
    sides that `multiple` divides, as the papers do before they make them smaller.
    `border` pixels are left out of PSNR and SSIM on every side; `luma` says which figure decides: Y or RGB.
    """

    name: str
    pairs: str | None = None
    folder: str | None = None
    pages: int = Field(default=0, ge=0)
    pictures: tuple[str, ...] = ()
    input: str | None = None
    target: str | None = None
    degradation: dict[str, Any] = {}
    clean: bool = False
    multiple: PositiveInt = 1
    border: int = Field(default=0, ge=0)
    luma: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum((self.pairs is not None, self.folder is not None, self.pages > 0)) != 1:
            raise ValueError(f"validation set {self.name!r} needs either pairs, a folder or pages")
        if self.pictures and self.folder is None:
            raise ValueError(f"validation set {self.name!r} names pictures, but not the folder that they lie in")
        patterns = [pattern for pattern in (self.input, self.target) if pattern is not None]
        if patterns and (len(patterns) < 2 or self.folder is None or any(each.count("*") != 1 for each in patterns)):
            raise ValueError(f"validation set {self.name!r} needs a folder, input and target, each of these with one *")
        if patterns and (self.pictures or self.degradation or self.clean or self.multiple > 1):
            raise ValueError(f"validation set {self.name!r} has pairs: nothing is chosen, degraded or cut")
        return self


class Recipe(_Part):
    """One trained weight; a new run begins from the shipped weight `begins_from`, or from nothing."""

    name: str
    task: str
    network: str
    config: str
    begins_from: str | None = None
    seed: int = 0
    data: Data
    degradation: dict[str, Any]
    schedule: Schedule
    validation: tuple[ValidationSet, ...]

    @field_validator("degradation")
    @classmethod
    def _of_a_kind(cls, degradation: dict[str, Any]) -> dict[str, Any]:
        if "kind" not in degradation:
            raise ValueError("it needs a kind")
        return degradation

    def degradation_with(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The options of the degradation, with those of a phase or a validation set changed."""
        return _merged(self.degradation, changes)

    @classmethod
    def named(cls, name: str) -> Recipe:
        """Read one of the shipped recipes. Raises RecipeError for an unknown one, or one that goes by another name."""
        path = RECIPES / f"{name}.toml"
        if not path.is_file():
            shipped = ", ".join(sorted(recipe.stem for recipe in RECIPES.glob("*.toml")))
            raise RecipeError(f"there is no recipe {name!r}; there are {shipped}")
        recipe = cls.read(path)
        if recipe.name != name:
            raise RecipeError(f"{path}: its name is {recipe.name!r}; a shipped recipe has that of its file")
        return recipe

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a recipe file. Raises RecipeError, with what is wrong, for a file that is not one."""
        try:
            table: Mapping[str, Any] = tomllib.loads(path.read_text())
            return cls(**table)
        except (OSError, ValueError) as error:
            raise RecipeError(f"{path}: {error}") from error


def _merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A table with changes; a table inside it is changed, not replaced."""
    return {
        **table,
        **{
            key: _merged(table[key], value) if isinstance(value, dict) and isinstance(table.get(key), dict) else value
            for key, value in changes.items()
        },
    }
