"""The networks as their papers write them: what re-parameterised and depthwise convolutions are faster than."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def as_written() -> Iterator[None]:
    """Compute every branch of a re-parameterised convolution by itself, and torch's own gradients, while this lasts."""
    from models.layers import depthwise, rep_conv

    kept: list[tuple[type[nn.Module], Any]] = []
    for part in (rep_conv.RepPointwise, rep_conv.RepDepthwise):
        kept.append((part, part.forward))
        part.forward = part.branches  # type: ignore[method-assign]
    fast, rep_conv.depthwise_conv = rep_conv.depthwise_conv, depthwise._convolve
    try:
        yield
    finally:
        rep_conv.depthwise_conv = fast
        for part, forward in kept:
            part.forward = forward
