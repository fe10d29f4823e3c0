"""Re-parameterised branches become the one convolution they are equal to (IPT-V2, Eq. 5 and 6)."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from models.layers.rep_conv import Depthwise, RepDepthwise, RepPointwise

Network = TypeVar("Network", bound=nn.Module)


def fold(network: Network) -> Network:
    """A copy with every branched convolution folded; the argument is left alone.

    Two 1x1 convolutions in sequence become one `nn.Linear`, depthwise 5x5, 3x3, 1x1 and identity in parallel one 5x5.
    The answers agree to rounding: 1e-5 of the largest value in float32, 1e-10 in float64.
    """
    folded = copy.deepcopy(network)
    for name, module in list(folded.named_modules()):
        if name and isinstance(module, RepPointwise | RepDepthwise):
            folded.set_submodule(name, _folded(module).train(module.training))
    return folded


def _folded(module: RepPointwise | RepDepthwise) -> nn.Module:
    dtype = next(module.parameters()).dtype
    with torch.no_grad():
        weight = module.double().weight().to(dtype)  # summed in float64: the fold itself then adds no error
    if isinstance(module, RepPointwise):
        return _with_weight(nn.Linear(weight.shape[1], weight.shape[0], bias=False), weight)
    return _with_weight(Depthwise(weight.shape[0], weight.shape[-1]), weight)


def _with_weight(module: nn.Module, weight: Tensor) -> nn.Module:
    module.weight = nn.Parameter(weight, requires_grad=False)
    return module
