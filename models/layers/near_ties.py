"""Near-ties: selections that rounding decides, and not the picture.

A network that selects (the most similar keys, the nearest direction) jumps where two candidates score alike. Runtimes
add up in different orders, so there each may select another one, and none is wrong. Whoever compares their answers has
to know which pixels that touches: run the network as it is, then once more with every near-tie decided the other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

# Of a row's largest score. A float32 score is off by less than 1e-6 of it, and a gap lies between two scores.
MARGIN = 3e-6


@dataclass
class Watch:
    """What a block that watches its network's selections saw; `count` near-ties so far."""

    other_way: bool
    count: int = 0


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(*, other_way: bool = False) -> Iterator[Watch]:
    """Count the near-ties among the selections made inside; with `other_way`, decide each for the runner-up."""
    watch = Watch(other_way)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


def settled(scores: Tensor, chosen: Tensor) -> Tensor:
    """The indices `chosen` (..., k), k >= 1, of the largest of `scores` (..., n), as `watched` wants them.

    A score of minus infinity is no candidate.
    """
    watch = _watch.get()
    if watch is None or chosen.shape[-1] == scores.shape[-1]:
        return chosen
    weakest, place = scores.gather(-1, chosen).min(dim=-1, keepdim=True)
    runner_up, index = scores.scatter(-1, chosen, -torch.inf).max(dim=-1, keepdim=True)
    largest = scores.masked_fill(scores.isinf(), 0).abs().amax(dim=-1, keepdim=True)
    near = weakest - runner_up <= MARGIN * largest  # never where one of them is no candidate: inf or nan
    watch.count += int(near.sum())
    if not watch.other_way:
        return chosen
    return chosen.scatter(-1, place, torch.where(near, index, chosen.gather(-1, place)))
