"""Full precision for what decides: which keys, which bucket. A rounded score would decide otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def full_precision(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Give the tensors as float32 (float64 stays), without gradient, and switch autocast off meanwhile."""
    exact = tuple(x.detach().to(torch.promote_types(x.dtype, torch.float32)) for x in tensors)
    device = tensors[0].device.type
    # Asked first: an exporter cannot translate the switch, and some devices know no autocast.
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        with torch.no_grad(), torch.autocast(device, enabled=False):
            yield exact
    else:
        with torch.no_grad():
            yield exact
