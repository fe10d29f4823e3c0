"""Rep-LeFFN, the feed-forward network of IPT-V2 (Sec. 3.3, Eq. 5 and 6)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from models.contamination import Chain, Conv
from models.layers.rep_conv import RepDepthwise, RepPointwise


class RepLeFFN(nn.Module):
    """1x1 C -> 4C, GELU, depthwise 5x5, 1x1 4C -> C on (B, H, W, C); every convolution re-parameterised."""

    def __init__(self, channels: int, ratio: int = 4) -> None:
        super().__init__()
        self.expand: nn.Module = RepPointwise(channels, ratio * channels)
        self.depthwise: nn.Module = RepDepthwise(ratio * channels)
        self.reduce: nn.Module = RepPointwise(ratio * channels, channels)

    @property
    def chain(self) -> Chain:
        """How far a cut is felt."""
        return (Conv(2),)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to the same shape."""
        return self.reduce(self.depthwise(F.gelu(self.expand(x))))  # type: ignore[no-any-return]
