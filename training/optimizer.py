"""What moves the weights: AdamW, or Muon for the matrices and AdamW for all else."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn

from models.layers.rep_conv import hold_pairs
from training.recipe import Schedule

LEAST_SIDE: Final = 16  # of a matrix; what is narrower is a table, of biases by heads say


class MuonAndAdamW:
    """Two optimizers that step as one.

    Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024) moves a matrix as far in every
    direction that its gradient has, where AdamW follows the few that are large. It is scaled to AdamW's usual step
    (Liu et al., "Muon is Scalable for LLM Training", 2025, Eq. 4), so that a recipe has one `lr` for both.
    What two matrices in sequence are to AdamW, a better way for their product to move, it does by itself: pairs are
    held (`models.layers.rep_conv`), which learns as much in a step, and takes a sixth less time for it.
    """

    def __init__(self, network: nn.Module, schedule: Schedule) -> None:
        hold_pairs(network)
        parameters = [each for each in network.parameters() if each.requires_grad]
        matrices = [each for each in parameters if each.ndim == 2 and min(each.shape) >= LEAST_SIDE]
        others = [each for each in parameters if each.ndim != 2 or min(each.shape) < LEAST_SIDE]
        self.parts = {
            "muon": torch.optim.Muon(
                matrices, lr=0.0, weight_decay=schedule.weight_decay, adjust_lr_fn="match_rms_adamw"
            ),
            "adamw": _adamw(others, schedule),
        }

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Those of both."""
        return [group for part in self.parts.values() for group in part.param_groups]

    def zero_grad(self, *, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for part in self.parts.values():
            part.zero_grad(set_to_none=set_to_none)

    def step(self) -> None:
        """Move every weight."""
        for part in self.parts.values():
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Both states, by name."""
        return {name: part.state_dict() for name, part in self.parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` gave. Raises KeyError or ValueError for a state of anything else."""
        for name, part in self.parts.items():
            part.load_state_dict(state[name])


def create_optimizer(network: nn.Module, schedule: Schedule) -> torch.optim.Optimizer | MuonAndAdamW:
    """The optimizer that a schedule names; its rate is zero until it is set."""
    return MuonAndAdamW(network, schedule) if schedule.optimizer == "muon" else _adamw(network.parameters(), schedule)


def follow(optimizer: torch.optim.Optimizer | MuonAndAdamW, schedule: Schedule) -> None:
    """Let an optimizer that was restored go on as the schedule is now."""
    for group in optimizer.param_groups:
        group |= {key: getattr(schedule, key) for key in ("betas", "weight_decay") if key in group}


def _adamw(parameters: Any, schedule: Schedule) -> torch.optim.AdamW:
    return torch.optim.AdamW(parameters, lr=0.0, betas=schedule.betas, weight_decay=schedule.weight_decay)
