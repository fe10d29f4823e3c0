"""Attention variants over the same weights: how key-semantic attention is computed where the network will run."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn

from models.semanir.attention import IMPLEMENTATIONS, Implementation, KeySemanticAttention

Network = TypeVar("Network", bound=nn.Module)


def swap(network: Network, implementation: Implementation) -> Network:
    """A copy whose key-semantic attention runs as "mask", "gather", "triton" or "operator"; the argument is left alone.

    The answers agree to rounding (1e-5 in float32). A network without such attention comes back as a plain copy.
    Raises ValueError for another name.
    """
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(f"there is no implementation {implementation!r}; there are {', '.join(IMPLEMENTATIONS)}")
    swapped = copy.deepcopy(network)
    for module in swapped.modules():
        if isinstance(module, KeySemanticAttention):
            module.implementation = implementation
    return swapped
