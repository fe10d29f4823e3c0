"""GRL's convolutional branch with channel attention (CAB), and what it averages over."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from models.contamination import Pool
from models.layers.resampling import Conv2d

REDUCTION = 18  # of the channel attention
COMPRESSION = 4  # of the two convolutions


class ChannelAttentionBlock(nn.Module):
    """3x3 convolution to C/4, GELU, 3x3 convolution to C, then a weight per channel from its average near by.

    The paper averages over the whole picture, which is the one operation of the network that would let the far end of a
    picture change its near end. We average over a box of 1.5 times the training size: it is sampled every half training
    size from the picture's origin (the mean of three by three cells), and the weights are interpolated in between, so
    that no cell's border shows. At the training size every box is the whole picture and both forms are equal.
    A box rather than an exact sum over the picture, because it needs no second pass, and because averages over an area
    like the training crops' are what the weights know.

    Args:
        dim: channels C.
        cell: half the training size; 0 averages over the whole picture, as the paper does.
    """

    def __init__(self, dim: int, cell: int) -> None:
        super().__init__()
        self.cell = cell
        self.conv1 = Conv2d(dim, dim // COMPRESSION, 3, padding=1)
        self.conv2 = Conv2d(dim // COMPRESSION, dim, 3, padding=1)
        self.squeeze = nn.Linear(dim, dim // REDUCTION)
        self.excite = nn.Linear(dim // REDUCTION, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, H, W, C); the cell divides H and W."""
        return self.weigh(self.convolve(x))

    def convolve(self, x: Tensor) -> Tensor:
        """Both convolutions: (B, H, W, C) to (B, H, W, C)."""
        out: Tensor = self.conv2(F.gelu(self.conv1(x)))
        return out

    @property
    def pool(self) -> Pool:
        """How far a cut is felt by the weights."""
        if not self.cell:
            raise ValueError("an average over the whole picture cannot be computed by tiles")
        return Pool(self.cell)

    def weigh(self, x: Tensor) -> Tensor:
        """Each channel of (B, H, W, C) times its weight."""
        mean = self._surroundings(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        weight = self.excite(F.relu(self.squeeze(mean))).sigmoid()
        if self.cell:
            weight = F.interpolate(weight.permute(0, 3, 1, 2), x.shape[1:3], mode="bilinear").permute(0, 2, 3, 1)
        out: Tensor = x * weight
        return out

    def _surroundings(self, x: Tensor) -> Tensor:
        if not self.cell:
            return x.mean((2, 3), keepdim=True)
        cells = F.avg_pool2d(x, self.cell)
        box: Tensor = F.avg_pool2d(cells, 3, stride=1, padding=1, count_include_pad=False)
        return box
