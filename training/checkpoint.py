"""A run's folder: one process at a time, files whole or not at all, so that a killed run goes on from its last save."""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from export.storage import locked

BEST = "best.safetensors"  # a run's weights that did best, in its folder
CHECKPOINT = "checkpoint.pt"  # all that it goes on from


class CheckpointError(ValueError):
    """A run's folder cannot be trained in; the text says why."""


@dataclass
class Progress:
    """What a run has done; `history` has a row per validation, `began_from` names the weights that it grew from."""

    step: int = 0
    elapsed_s: float = 0.0
    pictures: int = 0
    loss: float = math.nan
    best_psnr: float = -math.inf
    began_from: str | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def see_loss(self, value: float) -> None:
        """Take one more loss into the running mean."""
        self.loss = value if math.isnan(self.loss) else 0.95 * self.loss + 0.05 * value


@contextmanager
def alone_in(run: Path) -> Iterator[None]:
    """Hold a run's folder. Raises CheckpointError if another process trains there."""

    def refuse() -> None:
        raise CheckpointError(f"{run} is in use by another run; name another --run")

    with locked(run, "run", refuse):
        yield


def save(path: Path, progress: Progress, **parts: Any) -> None:
    """Write progress and the named state dicts to `path`."""
    with _replacing(path) as partial:
        torch.save({"progress": vars(progress), **parts}, partial)


def restore(path: Path) -> tuple[Progress, dict[str, Any]]:
    """Read what `save` wrote. Raises CheckpointError for anything else."""
    try:
        parts = torch.load(path, map_location="cpu", weights_only=True)
        return Progress(**parts.pop("progress")), parts
    except (EOFError, KeyError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
        said = str(error).partition("\n")[0]
        raise CheckpointError(f"{path} cannot be read: {said:.200}; move it away to begin anew") from error


def save_weights(path: Path, state: dict[str, Tensor], began_from: str | None = None) -> None:
    """Write a state dict as float16 safetensors, the shipped form, and in them what the weights grew from."""
    metadata = {"began_from": began_from} if began_from else None
    with _replacing(path) as partial:
        save_file({key: value.detach().half().contiguous().cpu() for key, value in state.items()}, partial, metadata)


def origin(path: Path) -> str | None:
    """What the weights in `path` grew from, as `save_weights` was told."""
    with safe_open(path, "pt") as file:
        return (file.metadata() or {}).get("began_from")


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield a file that becomes `path` if the block ends well. Raises OSError where it cannot be written."""
    partial = path.with_suffix(".partial")
    try:
        yield partial
    except (RuntimeError, SafetensorError) as error:  # of a full disk, PyTorch and safetensors tell in their own ways
        partial.unlink(missing_ok=True)
        raise OSError(f"{path} cannot be written: {str(error).partition(chr(10))[0]:.200}") from error
    partial.replace(path)
