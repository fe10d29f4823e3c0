"""A run's state on disk: written whole or not at all, so that a killed run goes on from its last save."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor


@dataclass
class Progress:
    """What a run has done; `history` has a row per validation."""

    step: int = 0
    elapsed_s: float = 0.0
    pictures: int = 0
    loss: float = math.nan
    best_psnr: float = -math.inf
    history: list[dict[str, Any]] = field(default_factory=list)

    def see_loss(self, value: float) -> None:
        """Take one more loss into the running mean."""
        self.loss = value if math.isnan(self.loss) else 0.95 * self.loss + 0.05 * value


def save(path: Path, progress: Progress, **parts: Any) -> None:
    """Write progress and the named state dicts to `path`."""
    partial = path.with_suffix(".partial")
    torch.save({"progress": vars(progress), **parts}, partial)
    partial.replace(path)


def restore(path: Path) -> tuple[Progress, dict[str, Any]]:
    """Read what `save` wrote."""
    parts = torch.load(path, map_location="cpu", weights_only=True)
    return Progress(**parts.pop("progress")), parts


def save_weights(path: Path, state: dict[str, Tensor]) -> None:
    """Write a state dict as float16 safetensors, the shipped form."""
    partial = path.with_suffix(".partial")
    save_file({key: value.detach().half().contiguous().cpu() for key, value in state.items()}, partial)
    partial.replace(path)
