"""Random numbers for a batch of pictures: drawn where the generator lives, used where the pictures live."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from training.degradations.ranges import Range


@dataclass(frozen=True)
class Draws:
    """One generator's numbers, float32, on `device`.

    They are drawn on the generator's own device: a CPU generator gives a seed the same numbers for pictures on a GPU.
    """

    generator: torch.Generator
    device: torch.device

    def unit(self, *shape: int) -> Tensor:
        """Draw uniformly from [0, 1)."""
        return torch.rand(shape, generator=self.generator, device=self.generator.device).to(self.device)

    def uniform(self, limits: Range, *shape: int) -> Tensor:
        """Draw uniformly from [a, b)."""
        low, high = limits
        return self.unit(*shape) * (high - low) + low

    def log_uniform(self, limits: Range, *shape: int) -> Tensor:
        """Draw what is perceived in ratios: the logarithm is uniform in [log a, log b); a > 0."""
        low, high = limits
        return self.uniform((math.log(low), math.log(high)), *shape).exp()

    def normal(self, *shape: int) -> Tensor:
        """Draw from the normal distribution of mean 0 and deviation 1."""
        return torch.randn(shape, generator=self.generator, device=self.generator.device).to(self.device)

    def chosen(self, share: float, batch: int) -> Tensor:
        """Draw (B, 1, 1, 1) booleans, each true with probability `share`."""
        return self.unit(batch, 1, 1, 1) < share
