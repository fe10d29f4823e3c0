"""Half precision in the graph: matrix products and convolutions are narrowed, what decides or adds up is not.

TensorRT takes a graph's types as they are, so the islands of float32 are put there explicitly:

    half        the products of convolutions, linear layers and attention, and what lies between them
    float32     the picture and its skip, the stream between layers, norms, position biases (constants by then),
                selection (`models.layers.precision`), and what the networks themselves widen; beside bfloat16, whose
                8 bits do not hold a picture, also the first and the last convolution
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final, TypeVar

import torch
from torch import Tensor, nn

from export.manifest import Precision
from models.layers.position_bias import ContinuousPositionBias
from models.layers.rep_conv import Depthwise, RepDepthwise, RepPointwise
from models.semanir.mosaic import LinearDemosaic

Network = TypeVar("Network", bound=nn.Module)

DTYPES: Final = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
_CONVOLUTIONS: Final = (nn.Conv2d, nn.ConvTranspose2d)
_NARROWED: Final = (*_CONVOLUTIONS, nn.Linear, Depthwise, RepDepthwise, RepPointwise)
_ISLANDS: Final = (ContinuousPositionBias, LinearDemosaic)  # the latter is the picture's own skip


def lower(network: Network, precision: Precision) -> Network:
    """A copy that computes in this precision, from float32 pictures to float32 pictures; the argument is left alone."""
    lowered = copy.deepcopy(network)
    if precision != "fp32":
        _narrow(lowered, DTYPES[precision], _ends(lowered) if precision == "bf16" else ())
    return lowered


def _ends(network: nn.Module) -> tuple[nn.Module, ...]:
    """The convolutions that take the picture and make the answer."""
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    return convolutions[0], convolutions[-1]


def _narrow(module: nn.Module, dtype: torch.dtype, wide: tuple[nn.Module, ...]) -> None:
    if isinstance(module, _ISLANDS):
        return
    if isinstance(module, nn.LayerNorm):
        module.register_forward_pre_hook(_take(torch.float32))
    elif isinstance(module, _NARROWED):
        transposed = dtype == torch.bfloat16 and isinstance(module, nn.ConvTranspose2d)  # TensorRT has none
        own = torch.float32 if transposed or module in wide else dtype
        module.to(own).register_forward_pre_hook(_take(own))
        if isinstance(module, _CONVOLUTIONS) and module.groups == 1:
            # Convolutions over all channels begin and carry the stream. As it is float32, so are the sums with it.
            module.register_forward_hook(_widen)
    for child in module.children():
        _narrow(child, dtype, wide)


def _take(dtype: torch.dtype) -> Callable[[nn.Module, tuple[Any, ...]], tuple[Any, ...]]:
    """A hook that gives a module its first argument in another type."""

    def hook(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return (inputs[0].to(dtype), *inputs[1:])

    return hook


def _widen(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    return output.float()
