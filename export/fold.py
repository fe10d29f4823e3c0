"""Re-parameterised branches become the one convolution they are equal to (IPT-V2, Eq. 5 and 6)."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from models.ipt_v2.attention import FocalContextAttention
from models.kit.model import FeedForward
from models.layers.rep_conv import Depthwise, Pointwise, RepDepthwise, RepPointwise

Network = TypeVar("Network", bound=nn.Module)


def fold(network: Network) -> Network:
    """A copy with every branched convolution folded; the argument is left alone.

    Two 1x1 convolutions in sequence become one, depthwise 5x5, 3x3, 1x1 and identity in parallel one 5x5; linear layers
    beside a depthwise convolution become convolutions too. The answers agree to rounding: 1e-5 of the largest value in
    float32, 1e-10 in float64.
    """
    folded = copy.deepcopy(network)
    names = {module: name for name, module in folded.named_modules()}
    for module, name in list(names.items()):
        if name and isinstance(module, RepPointwise | RepDepthwise):
            folded.set_submodule(name, _folded(module).train(module.training))
        for linear in _beside_depthwise(module):
            pointwise = _pointwise(linear.weight, linear.bias)
            folded.set_submodule(names[linear], pointwise.train(linear.training))
    return folded


def _beside_depthwise(module: nn.Module) -> tuple[nn.Linear, ...]:
    """The linear layers of a module that a depthwise convolution follows or precedes."""
    if isinstance(module, FocalContextAttention):
        return (module.qkv,)
    if isinstance(module, FeedForward):
        return module.fc1, module.fc2
    return ()


def _folded(module: RepPointwise | RepDepthwise) -> nn.Module:
    dtype = next(module.parameters()).dtype
    with torch.no_grad():
        weight = module.double().weight().to(dtype)  # summed in float64: the fold itself then adds no error
    if isinstance(module, RepPointwise):
        return _pointwise(weight)
    depthwise = Depthwise(weight.shape[0], weight.shape[-1])
    depthwise.weight = nn.Parameter(weight, requires_grad=False)
    return depthwise


def _pointwise(weight: Tensor, bias: Tensor | None = None) -> Pointwise:
    pointwise = Pointwise(weight.shape[1], weight.shape[0], bias=bias is not None)
    pointwise.weight = nn.Parameter(weight.detach(), requires_grad=False)
    if bias is not None:
        pointwise.bias = nn.Parameter(bias.detach(), requires_grad=False)
    return pointwise
