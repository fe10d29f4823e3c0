"""The key-semantic dictionary (SemanIR, Sec. 3.1, Alg. 1): which keys each token attends to, found once per stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from models.layers.attention import MASKED
from models.layers.chunks import exporting, in_chunks
from models.layers.near_ties import settled
from models.layers.precision import full_precision
from models.layers.windows import Size

EMPTY = -1  # a place of the dictionary that holds no key


@dataclass(frozen=True)
class Dictionary:
    """The keys of each token in each window.

    Attributes:
        keys: int64 (G, N, k), indices into the N tokens of the same window, each once and in no particular order;
            `EMPTY` where a window has fewer keys to offer than k. Every token lists one key at least, never itself.
        window: (h, w) with h * w = N.
    """

    keys: Tensor
    window: Size
    # A cached_property takes a lock, at which torch.compile would break the graph.
    _made: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def penalty(self) -> Tensor:
        """What is added to the score of token i and key j: 0 where i lists j, else MASKED; (G, N, N)."""
        return self._once("penalty", self._penalty)

    @property
    def offsets(self) -> Tensor:
        """Where each pair's entry lies in a flat table of (2h-1) * (2w-1) offsets: (G, N, k)."""
        return self._once("offsets", self._offsets)

    def list_in_a_graph(self, listed: Tensor) -> None:
        """Take the penalty from a table (G, N, N) of whether token i lists key j, and not from the keys."""
        self._made["penalty"] = torch.where(listed, 0.0, MASKED)

    def _once(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """What `make` gives, kept for the other layers that share this dictionary."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    def _penalty(self) -> Tensor:
        groups, tokens, _ = self.keys.shape
        column = torch.where(self.keys == EMPTY, tokens, self.keys)  # empty places fall into a column that is cut off
        penalty = torch.full((groups, tokens, tokens + 1), MASKED, device=self.keys.device)
        return penalty.scatter(-1, column, 0.0)[..., :tokens]

    def _offsets(self) -> Tensor:
        h, w = self.window
        token = torch.arange(h * w, device=self.keys.device)[:, None]
        key = self.keys.clamp(min=0)
        down, right = token // w - key // w + h - 1, token % w - key % w + w - 1
        return down * (2 * w - 1) + right


def most_similar(tokens: Tensor, window: Size, top_k: int, filled: Tensor | None = None) -> Dictionary:
    """List for every token the `top_k` others of its window with the largest dot product (Eq. 2).

    Equal similarities are decided for the lower index, so every implementation picks the same keys. The dot products
    are float32 also where the network runs in half precision: a rounded score would pick other keys.

    Args:
        tokens: (G, N, C), the stage's input.
        window: (h, w) with h * w = N.
        top_k: keys per token; no more than the N - 1 others are listed.
        filled: bool (count, N), tokens that are no pixels of the picture, and so nobody's keys; `count` divides G.
    """
    groups, count = tokens.shape[0], window[0] * window[1]
    top_k = min(top_k, count - 1)
    itself = torch.eye(count, dtype=torch.bool, device=tokens.device)
    if filled is not None:
        filled = filled.repeat(groups // filled.shape[0], 1)[..., None]

    def similarities(part: slice) -> Tensor:
        """Keys by tokens, (G, N, N); minus infinity where a token may not list a key."""
        excluded = itself if filled is None else itself | filled[part]
        return torch.matmul(exact[part], exact[part].transpose(1, 2)).masked_fill(excluded, -torch.inf)

    def select(part: slice) -> Tensor:
        similarity = similarities(part)
        chosen, similarity = largest(similarity, top_k).transpose(1, 2), similarity.transpose(1, 2)
        chosen = settled(similarity, chosen, lambda: _products(exact[part]))
        return chosen if filled is None else chosen.masked_fill(similarity.gather(-1, chosen) == -torch.inf, EMPTY)

    with full_precision(tokens) as (exact,):
        dictionary = Dictionary(in_chunks(select, groups, count * count), window)
        if exporting():
            dictionary.list_in_a_graph(among_largest(similarities(slice(None)), top_k).transpose(1, 2))
    return dictionary


def _products(tokens: Tensor) -> Tensor:
    """The largest product of the length of each of (G, N, C) with that of another: (G, N, 1)."""
    lengths: Tensor = tokens.norm(dim=-1, keepdim=True)
    return lengths * lengths.amax(dim=1, keepdim=True)


def largest(scores: Tensor, count: int) -> Tensor:
    """Indices (..., count, M) of the largest of `scores` (..., N, M) down each column; of equal ones, the lower index.

    Down columns, as OpenVINO then selects for 16 of them at a time, in an eighth of the time.
    """
    if exporting():
        return scores.topk(count, dim=-2, sorted=False).indices
    # A copy, so that not all N indices are kept for as long as the few.
    return scores.sort(dim=-2, descending=True, stable=True).indices[..., :count, :].clone()


def among_largest(scores: Tensor, count: int) -> Tensor:
    """Whether each of `scores` (..., N, M) is one of those that `largest` finds, and not minus infinity.

    Runtimes agree on the smallest of the largest values, and not on which of several that equal it are taken: that is
    counted out here.
    """
    least = scores.topk(count, dim=-2, sorted=False).values.amin(dim=-2, keepdim=True)
    above, equal = (scores > least).to(scores.dtype), (scores == least).to(scores.dtype)
    places = torch.ones(scores.shape[-2], scores.shape[-2], dtype=scores.dtype, device=scores.device).tril()
    taken = torch.matmul(places, equal) <= count - above.sum(dim=-2, keepdim=True)
    return ((above + equal * taken) * (scores > -torch.inf)).bool()
