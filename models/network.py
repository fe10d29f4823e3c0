"""What every restoration network is: one operator for an image of any size."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from models.layers.windows import reflected_index


class RestorationNetwork(nn.Module, ABC):
    """A network whose answer for a pixel depends on the picture alone, never on how the picture was cut.

    The picture is padded once, by reflection, on the right and at the bottom, to a multiple of `lattice` and to `least`
    at least; every window, grid and cell is counted from the picture's origin. Subclasses set the numbers and implement
    `restore`.

    Attributes:
        in_channels: channels taken (3 for colour, 1 for grey or a mosaic).
        out_channels: channels returned.
        scale: output side over input side (1 unless the network upscales).
        lattice: both sides handed to `restore` are multiples of this many input pixels.
        least: `forward` hands no shorter side to it; a multiple of `lattice`, which it is by default. Where a layer
            treats a map of a single window otherwise than a larger one, it is longer than that: a tile of such a map
            would tell nothing about it. Crops in training are left as short as they are.
    """

    in_channels: int
    out_channels: int
    scale: int = 1
    lattice: int

    @abstractmethod
    def restore(self, x: Tensor) -> Tensor:
        """Restore (B, in_channels, H, W), values in [0, 1]; `lattice` divides H and W. This is the exported graph."""

    def forward(self, x: Tensor) -> Tensor:
        """Restore (B, in_channels, H, W) of any size >= 1 x 1 to (B, out_channels, scale * H, scale * W)."""
        height, width = x.shape[-2:]
        restored = self.restore(self.pad(x))
        return restored[..., : height * self.scale, : width * self.scale]

    def pad(self, x: Tensor) -> Tensor:
        """Continue (B, C, H, W) on the right and at the bottom until `lattice` divides both sides, and to `least`."""
        return pad_to_multiple(x, self.lattice, 0 if self.training else self.least)

    @property
    def least(self) -> int:
        """See the attributes."""
        return self.lattice


def pad_to_multiple(x: Tensor, multiple: int, least: int = 0) -> Tensor:
    """Continue (B, C, H, W) by reflection on the right and at the bottom until `multiple` divides both sides.

    Shorter sides are continued to `least`, which it divides too.
    The edge pixel is not repeated; a side shorter than its padding is reflected back and forth, as `numpy.pad` does.
    """
    for dim in (-2, -1):
        size = x.shape[dim]
        if missing := max(-size % multiple, least - size):
            x = x.index_select(dim, reflected_index(size, 0, missing, x.device))
    return x
