"""Exponential moving average of a network's weights: what is validated and shipped."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Average:
    """A moving copy of a network's state; `decay` in [0, 1) is the share kept per step."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state: dict[str, Tensor] = {key: value.detach().clone() for key, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network; in the first steps faster, so that the random start is forgotten."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            if value.is_floating_point():
                self.state[key].lerp_(value, 1 - decay)
            else:
                self.state[key].copy_(value)
