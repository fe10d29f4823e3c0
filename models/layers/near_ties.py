"""Near-ties: selections that rounding decides, and not the picture.

A network that selects (the most similar keys, the nearest direction) jumps where two candidates score alike. Runtimes
add up in different orders, so there each may select another one, and none is wrong. Whoever compares their answers has
to know which pixels that touches: run the network as it is, then once more with every near-tie decided the other way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

# Of the largest products that a score may be the sum of. Runtimes differ by some 1e-6 of them, layer on layer.
MARGIN = 1e-5


@dataclass
class Watch:
    """What a block that watches its network's selections saw; `count` near-ties so far."""

    other_way: bool
    count: int = 0


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(*, other_way: bool = False) -> Iterator[Watch]:
    """Count the near-ties among the selections made inside; with `other_way`, decide each the other way."""
    watch = Watch(other_way)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


def settled(scores: Tensor, chosen: Tensor, magnitude: Callable[[], Tensor]) -> Tensor:
    """The indices of the largest scores, as `watched` wants them.

    Args:
        scores: (..., n); minus infinity is no candidate.
        chosen: (..., k), k >= 1, indices of the largest scores.
        magnitude: gives (..., 1), how large a row's scores are if nothing in them cancels: rounding is relative to it.
    """
    # A compiled network is not watched: its answers are compared with those of one that is.
    watch = None if torch.compiler.is_compiling() else _watch.get()
    if watch is None or chosen.shape[-1] == scores.shape[-1]:
        return chosen
    weakest = scores.gather(-1, chosen).amin(dim=-1, keepdim=True)
    runner_up = scores.scatter(-1, chosen, -torch.inf).amax(dim=-1, keepdim=True)
    margin = MARGIN * magnitude()
    near = weakest - runner_up <= margin  # never where one of them is no candidate: inf or nan
    watch.count += int(near.sum())
    if not watch.other_way:
        return chosen
    # Mirrored at the cut, the candidates near it change sides; equal ones do so by counting indices from the end.
    cut = (weakest + runner_up) / 2
    mirrored = torch.where(near & ((scores - cut).abs() <= margin), 2 * cut - scores, scores)
    from_the_end = mirrored.flip(-1).sort(dim=-1, descending=True, stable=True).indices[..., : chosen.shape[-1]]
    return torch.where(near, scores.shape[-1] - 1 - from_the_end, chosen)
