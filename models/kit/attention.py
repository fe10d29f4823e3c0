"""K-nearest-neighbour local attention (KiT, Sec. 3.2): a patch attends to patches that look like it."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from models.contamination import Chain, Window
from models.kit.hashing import bucket, counting_sort, rotations
from models.layers.chunks import in_chunks
from models.layers.windows import merge, partition

BALANCE = 0.1  # where products cancel to less than this share of their magnitudes, their sum is no safe divisor


class KnnLocalAttention(nn.Module):
    """Attention of every patch to its neighbours in a few sorted orders (KLA).

    Hashing and sorting happen inside absolute cells of the map, so that a patch's neighbours do not depend on how large
    the picture is. The weights of Eq. 9 use the queries as phi(x_p) and the keys as theta(x_q), head by head.

    Args:
        dim: channels; `num_heads` divides it.
        num_heads: attention heads.
        patch: side r of a patch in pixels.
        neighbours: k, patches per chunk; a patch attends to its own chunk and the one before it.
        cell: side of a cell in pixels.
        rounds: hash rounds h. The neighbours of all rounds count; one found twice counts twice.
        buckets: hash values; even.
        seed: of the rotations.
    """

    rotation: Tensor

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        patch: int,
        neighbours: int,
        cell: int,
        rounds: int,
        buckets: int,
        seed: int,
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"{num_heads} heads do not divide {dim} channels")
        if cell % patch or (cell // patch) ** 2 % neighbours:
            raise ValueError(f"a cell of {cell} pixels does not hold whole chunks of {neighbours} patches of {patch}")
        self.dim, self.num_heads = dim, num_heads
        self.patch, self.neighbours, self.cell = patch, neighbours, cell
        self.rounds, self.buckets = rounds, buckets
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.register_buffer("rotation", rotations(patch * patch * dim, rounds, buckets, seed))

    def start_alike(self) -> None:
        """Let keys begin as the queries, so that a patch's product with itself, and with its like, begins positive."""
        with torch.no_grad():
            self.qkv.weight[self.dim : 2 * self.dim] = self.qkv.weight[: self.dim]

    @property
    def chain(self) -> Chain:
        """How far a cut is felt."""
        return (Window(self.cell),)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, dim) to (B, H, W, dim); the cell divides H and W."""
        order, rank = counting_sort(bucket(self._patches(x), self.rotation, self.rounds), self.buckets)
        qkv = self._patches(self.qkv(x))
        patches = (self.cell // self.patch) ** 2
        scores = self.rounds * patches * 2 * self.neighbours * self.patch**4 * self.num_heads
        out = in_chunks(lambda part: self._attend(qkv[part], order[part], rank[part]), qkv.shape[0], scores)
        out = merge(out.reshape(-1, self.patch**2, self.dim), (self.patch, self.patch), self.cell, self.cell)
        return cast(Tensor, self.proj(merge(out.flatten(1, 2), (self.cell, self.cell), x.shape[1], x.shape[2])))

    def _patches(self, x: Tensor) -> Tensor:
        """The patches of each cell: (B, H, W, C) to (B * cells, patches, r*r * C), both row-major."""
        cells = partition(x, (self.cell, self.cell)).reshape(-1, self.cell, self.cell, x.shape[-1])
        patches = partition(cells, (self.patch, self.patch))
        return patches.reshape(-1, (self.cell // self.patch) ** 2, self.patch**2 * x.shape[-1])

    def _attend(self, qkv: Tensor, order: Tensor, rank: Tensor) -> Tensor:
        """Attend within cells: (G, n, r*r * 3 * dim) to (G, n, r*r * dim); `order` and `rank` are (G, rounds, n)."""
        count, chunk, pixels = order.shape[-1], self.neighbours, self.patch**2
        chunks = _take(qkv, order).reshape(
            -1, count // chunk, chunk, pixels, 3, self.num_heads, self.dim // self.num_heads
        )
        q, k, v = chunks.permute(4, 0, 1, 5, 2, 3, 6)  # each (G * rounds, chunks, heads, k, r*r, dim / heads)
        # Eq. 7: a chunk's neighbours are its own patches and those of the chunk before it, before the first the last.
        k, v = (torch.cat((x.roll(1, dims=1), x), dim=3) for x in (k, v))
        out, product = attend_pairs(q, k, v)
        out = out.permute(0, 1, 3, 4, 2, 5).reshape(-1, count, pixels * self.dim)
        sums = torch.cat((product.sum(-1), product.abs().sum(-1)), dim=2)
        sums = sums.transpose(2, 3).reshape(-1, count, 2 * self.num_heads)
        unsorted = rank.reshape(-1, 1, count)
        out = _take(out, unsorted).reshape(-1, self.rounds, count, pixels, self.num_heads, self.dim // self.num_heads)
        total, magnitude = _take(sums, unsorted).reshape(-1, self.rounds, count, 2, self.num_heads).sum(1).unbind(2)
        # A product with float32, for in float16 the reciprocal of a small sum would be infinite.
        answer = out.sum(1) * safe_reciprocal(total, magnitude)[:, :, None, :, None]
        return answer.to(out.dtype).reshape(-1, count, pixels * self.dim)


def attend_pairs(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Attend pixel by pixel from patch to patch, and add up a patch's answers by the products of the pairs.

    Args:
        q: (..., P, r*r, d), the patches p of a chunk.
        k: (..., Q, r*r, d), their neighbours q.
        v: as k.

    Returns:
        sum over q of <q_p, k_q> * softmax(q_p k_q^T / sqrt(d)) v_q (Eq. 8 and 9, not yet divided by Eq. 10's sum),
        (..., P, r*r, d); and the products, (..., P, Q) in float32, up to one common factor that Eq. 10 cancels.
    """
    patches, pixels, width = q.shape[-3:]
    neighbours = k.shape[-3]
    scores = torch.matmul(q.flatten(-3, -2) * width**-0.5, k.flatten(-3, -2).transpose(-1, -2))
    # The product of two whole patches is the sum of the scores of their pixels at equal places.
    place = torch.arange(pixels, device=q.device)
    equal = (place * neighbours + torch.arange(neighbours, device=q.device)[:, None]) * pixels + place
    lead = q.shape[:-3]
    by_patch = scores.reshape(*lead, patches, pixels * neighbours * pixels)
    product = by_patch.index_select(-1, equal.flatten()).reshape(*lead, patches, neighbours, pixels).float().mean(-1)
    by_pair = scores.reshape(-1, patches, pixels, neighbours, pixels)  # of more than five axes, OpenVINO has no softmax
    weights = by_pair.softmax(dim=-1) * product.to(scores.dtype).reshape(-1, patches, 1, neighbours, 1)
    out = torch.matmul(weights.reshape(*lead, patches * pixels, neighbours * pixels), v.flatten(-3, -2))
    return out.reshape(*lead, patches, pixels, width), product


def safe_reciprocal(total: Tensor, magnitude: Tensor) -> Tensor:
    """1 / total for Eq. 10, where total = sum_j s_j is not small against magnitude = sum_j |s_j|.

    With the balance b = total / magnitude, from -1 to 1, the result is b / max(b^2, BALANCE^2) / magnitude: exactly
    1 / total while |b| >= BALANCE, and from there it falls to zero with b, without a jump. So the weights never add up
    to more than 1 / BALANCE in magnitude, and they vanish where the products say nothing.
    """
    magnitude = magnitude.clamp(min=torch.finfo(magnitude.dtype).tiny ** 0.5)
    balance = total / magnitude
    return balance / (balance**2).clamp(min=BALANCE**2) / magnitude


def _take(rows: Tensor, index: Tensor) -> Tensor:
    """Rows of each group by index: (G, n, F) and (G, m, n) to (G * m * n, F)."""
    groups, count, width = rows.shape
    start = torch.arange(groups, device=rows.device)[:, None, None] * count
    return rows.reshape(-1, width).index_select(0, (index + start).flatten())
