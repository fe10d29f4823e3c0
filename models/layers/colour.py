"""The mean colour that networks in the line of EDSR take off before their first convolution."""

from __future__ import annotations

import torch
from torch import Tensor

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)  # red, green, blue over the training pictures


def colour_mean(channels: int) -> Tensor:
    """Return what to subtract, (1, C, 1, 1): the mean colour for three channels, zero for any other number (C = 1)."""
    mean = torch.tensor(DIV2K_MEAN) if channels == 3 else torch.zeros(1)
    return mean.reshape(1, -1, 1, 1)
