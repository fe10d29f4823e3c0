"""A demosaicking network that takes mosaics of another pattern than its own."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from imaging.mosaic import offset
from models.network import RestorationNetwork


class Shifted(RestorationNetwork):
    """The network for mosaics of `pattern`, which begin a row or a column later than those that it has learnt.

    They are begun earlier, reflected as `imaging.mosaic.begun_earlier` does, and what was added is cut off the answer.
    """

    def __init__(self, network: RestorationNetwork, native: str, pattern: str) -> None:
        super().__init__()
        self.network = network
        self.in_channels, self.out_channels = network.in_channels, network.out_channels
        self.scale, self.lattice = network.scale, network.lattice
        self.rows, self.columns = offset(pattern, native)

    @property
    def least(self) -> int:
        """The network's."""
        return self.network.least

    def restore(self, x: Tensor) -> Tensor:
        """Restore as the network itself does, which takes its own pattern only."""
        return self.network.restore(x)

    def forward(self, x: Tensor) -> Tensor:
        """Restore mosaics (B, 1, H, W) of the pattern to (B, 3, H, W); a shifted side needs 2 pixels at least."""
        begun = F.pad(x, (self.columns, 0, self.rows, 0), mode="reflect")
        restored: Tensor = self.network(begun)
        return restored[..., self.rows :, self.columns :]
