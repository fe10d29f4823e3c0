"""Re-parameterised convolutions (IPT-V2, Eq. 5 and 6): several linear branches in training, one convolution afterwards.

Without a norm between them the branches compose in weight space, so training too runs the one composed convolution: the
function and its gradients are those of the branches, at the price of one. `branches` is the paper's form, for checks.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.depthwise import depthwise_conv


class RepPointwise(nn.Module):
    """Two 1x1 convolutions in sequence, (..., C) -> (..., C'), through the wider of both channel counts; no bias."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        hidden = max(in_channels, out_channels)
        self.first = nn.Parameter(torch.randn(hidden, in_channels) * in_channels**-0.5)
        self.second = nn.Parameter(torch.randn(out_channels, hidden) * hidden**-0.5)

    def weight(self) -> Tensor:
        """The one equal matrix, (C', C)."""
        return self.second @ self.first

    def hold(self) -> None:
        """Let the pair move as the one matrix that it equals: the square one becomes the identity, and stays that."""
        square, free = (
            (self.second, self.first) if len(self.second) > self.first.shape[1] else (self.first, self.second)
        )
        with torch.no_grad():
            free.copy_(self.weight())
            nn.init.eye_(square)
        square.requires_grad_(False)

    def branches(self, x: Tensor) -> Tensor:
        """The paper's form: both convolutions, one after the other."""
        return F.linear(F.linear(x, self.first), self.second)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C')."""
        return F.linear(x, self.weight())


class RepDepthwise(nn.Module):
    """Depthwise 5x5, 3x3, 1x1 and identity in parallel on (B, H, W, C); no bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kernels = nn.ParameterList(torch.randn(channels, 1, size, size) * 0.3 / size for size in (5, 3, 1))

    def weight(self) -> Tensor:
        """The one equal 5x5 kernel, (C, 1, 5, 5)."""
        padded = [F.pad(kernel, [(5 - kernel.shape[-1]) // 2] * 4) for kernel in self.kernels]
        identity = F.pad(torch.ones_like(self.kernels[-1]), [2] * 4)
        return torch.stack([*padded, identity]).sum(0)

    def branches(self, x: Tensor) -> Tensor:
        """The paper's form: every branch by itself, then the sum."""
        return torch.stack([depthwise_conv(x, kernel) for kernel in self.kernels]).sum(0) + x

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, H, W, C)."""
        return depthwise_conv(x, self.weight())


def merged(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a network, with the one equal matrix, `NAME.weight`, for every pair of `RepPointwise`.

    It is what weights are kept as: a third of the bytes of both matrices, and the same answers.
    """
    kept = dict(state)
    for name in _pairs(network):
        first, second = kept.pop(f"{name}.first"), kept.pop(f"{name}.second")
        kept[f"{name}.weight"] = (second.double() @ first.double()).to(first.dtype)
    return kept


def branched(network: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `merged` made, or a state that never was, with both matrices of every pair again: one is the identity."""
    whole = dict(state)
    for name in _pairs(network):
        if (weight := whole.pop(f"{name}.weight", None)) is not None:
            rows, columns = weight.shape
            identity = torch.eye(max(rows, columns), dtype=weight.dtype, device=weight.device)
            first, second = (weight, identity) if rows > columns else (identity, weight)
            whole |= {f"{name}.first": first, f"{name}.second": second}
    return whole


def hold_pairs(network: nn.Module) -> None:
    """Let every pair of a network move as one matrix."""
    for module in network.modules():
        if isinstance(module, RepPointwise):
            module.hold()


def _pairs(network: nn.Module) -> list[str]:
    return [name for name, module in network.named_modules() if isinstance(module, RepPointwise)]


class Pointwise(nn.Linear):
    """A linear layer on (B, H, W, C), computed as a 1x1 convolution.

    Next to a depthwise convolution a runtime then keeps the map in the layout of its convolutions, from one to the
    other, where a matrix product has it laid out anew on the way in and on the way out.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, H, W, C) to (B, H, W, C')."""
        out = F.conv2d(x.permute(0, 3, 1, 2), self.weight[:, :, None, None], self.bias)
        return out.permute(0, 2, 3, 1)


class Depthwise(nn.Module):
    """One depthwise convolution on (B, H, W, C), zero-padded, no bias; `size` is odd."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, 1, size, size) / size)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (B, H, W, C)."""
        return depthwise_conv(x, self.weight)
