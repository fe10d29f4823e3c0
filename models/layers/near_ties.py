"""Near-ties: selections that rounding decides, and not the picture.

A network that selects (the most similar keys, the nearest direction) jumps where two candidates score alike. Runtimes
add up in different orders, so there each may select another one, and none is wrong. Whoever compares their answers has
to know which pixels that touches: run the network as it is, then once more with every near-tie decided the other way.

The second time what follows a near-tie gets other numbers, by which a later one may well fall the other way already.
It is the first time's decision that must not be taken again, so that is kept, and overturned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from torch import Tensor

# Of the largest products that a score may be the sum of. Runtimes differ by some 1e-6 of them, layer on layer.
MARGIN = 1e-5


@dataclass
class Watch:
    """What a block that watches its network's selections saw.

    Attributes:
        before: what was seen when the same network answered the same input; its near-ties are decided the other way.
        overturned: for each selection, whether each of its rows (...) is a near-tie, and what those rows (M, k) would
            select the other way.
    """

    before: Watch | None
    overturned: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Near-ties so far."""
        return sum(len(otherwise) for _, otherwise in self.overturned)


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(before: Watch | None = None) -> Iterator[Watch]:
    """Watch the selections made inside; with `before`, decide near-ties otherwise than they were decided there."""
    watch = Watch(before)
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
    near, otherwise = _overturned(scores, chosen, MARGIN * magnitude())
    place = len(watch.overturned)
    watch.overturned.append((near, otherwise))
    if watch.before is None:
        return chosen
    chosen = chosen.clone()
    chosen[near] = otherwise
    near, otherwise = watch.before.overturned[place]  # last, for it is the first time's decision that counts
    chosen[near] = otherwise
    return chosen


def _overturned(scores: Tensor, chosen: Tensor, margin: Tensor) -> tuple[Tensor, Tensor]:
    """Which rows are near-ties, bool (...), and what these M select the other way, (M, k)."""
    weakest = scores.gather(-1, chosen).amin(dim=-1, keepdim=True)
    runner_up = scores.scatter(-1, chosen, -torch.inf).amax(dim=-1, keepdim=True)
    near = (weakest - runner_up <= margin)[..., 0]  # never where one of them is no candidate: inf or nan
    scores, margin = scores[near], margin.expand_as(weakest)[near]
    # Mirrored at the cut, the candidates near it change sides; equal ones do so by counting indices from the end.
    cut = (weakest[near] + runner_up[near]) / 2
    mirrored = torch.where((scores - cut).abs() <= margin, 2 * cut - scores, scores)
    from_the_end = mirrored.flip(-1).sort(dim=-1, descending=True, stable=True).indices[..., : chosen.shape[-1]]
    return near, scores.shape[-1] - 1 - from_the_end
