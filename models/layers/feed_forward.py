"""The two-layer perceptron of a transformer layer."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Mlp(nn.Module):
    """Linear, exact GELU, linear, on the last axis; the hidden width is `ratio` times `dim`."""

    def __init__(self, dim: int, ratio: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, int(dim * ratio))
        self.fc2 = nn.Linear(int(dim * ratio), dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) to (..., dim)."""
        hidden: Tensor = F.gelu(self.fc1(x))
        out: Tensor = self.fc2(hidden)
        return out
