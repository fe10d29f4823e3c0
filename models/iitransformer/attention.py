"""iiTransformer's two attentions: among the pixels of a patch (Eq. 1, 2) and among whole patches (Eq. 3 to 6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.contamination import Chain, Reach
from models.iitransformer.blocks import Blocks, cut, either, uncut
from models.iitransformer.released import edge_penalty, flat_index_bias
from models.layers.attention import MASKED, Projection, attend, together
from models.layers.chunks import chunks
from models.layers.position_bias import RelativePositionBias, spread
from models.layers.windows import Size, Windows, rolled_penalty

LARGEST_COPY = 1 << 25  # values of one picture's keys copied at a time


class IntraAttention(nn.Module):
    """Attention among the pixels of each patch (Eq. 1, 2).

    Args:
        dim: channels C.
        num_heads: attention heads; divides C.
        patches: the grid of patches, shifted or not.
    """

    def __init__(self, dim: int, num_heads: int, patches: Windows) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.patches = patches
        self.qkv = Projection(dim, 3 * dim, 3)
        self.bias = RelativePositionBias(patches.size, num_heads)
        self.proj = nn.Linear(dim, dim)

    @property
    def chain(self) -> Chain:
        """How far a cut is felt."""
        return (self.patches.layer,)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, H, W, C)."""
        batch, height, width, _ = x.shape
        q, k, v = self.qkv(self.patches.split(x), self.num_heads)
        bias = self.bias()
        if self.patches.shifted and self.patches.border == "roll":
            regions = self.patches.regions(height, width, x.device)
            bias = (bias + rolled_penalty(regions, regions)[:, None]).repeat(batch, 1, 1, 1)
        out = attend(q * q.shape[-1] ** -0.5, k, v, bias, self.patches.filled(height, width, x.device))
        projected: Tensor = self.proj(self.patches.join(together(out), height, width))
        return projected


class InterAttention(nn.Module):
    """Attention among patches (Eq. 3 to 5): the M*M*(C/heads) values of a patch are one token of a head.

    A patch sees the patches at most reach - 1 patches away on each axis and reads the bias at the pair's true offset;
    all others have no weight (Eq. 6). So the operator is local, and is computed that way, by blocks of patches. A patch
    that overhangs the picture is no key, except on an axis along which the picture is a single patch.

    Args:
        dim: channels C.
        num_heads: attention heads; divides C.
        patches: the grid of patches, shifted or not.
        reach: patches per side of the training picture, N in the paper, as (rows, columns).
        reference_bias: read the bias as the released code does (see `released`); needs border="roll".
    """

    def __init__(
        self, dim: int, num_heads: int, patches: Windows, reach: Size, *, reference_bias: bool = False
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.patches = patches
        self.reach = reach
        self.reference_bias = reference_bias
        self.qkv = Projection(dim, 3 * dim, 3)
        self.bias = RelativePositionBias(reach, num_heads)
        self.proj = nn.Linear(dim, dim)

    @property
    def chain(self) -> Chain:
        """How far a cut is felt."""
        windows = self.patches.layer
        return (Reach(windows.size, windows.offset, self.reach),)

    @property
    def single(self) -> int:
        """Side up to which a map is a single patch, which counts as a key even where it overhangs."""
        return max(self.patches.size) if self.patches.shifted else 0

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) to (B, H, W, C)."""
        out: Tensor = self.proj(self.attend(x))
        return out

    def attend(self, x: Tensor) -> Tensor:
        """Attend among patches, without the last linear layer: (B, H, W, C) to (B, H, W, C)."""
        height, width = x.shape[1:3]
        rows, columns = self.patches.shape(height, width)
        pixels = (part.transpose(1, 2) for part in self.qkv(self.patches.split(x), self.num_heads))
        q, k, v = (
            part.reshape(-1, rows * columns, *part.shape[1:]).permute(0, 3, 1, 2, 4).flatten(3) for part in pixels
        )
        head = x.shape[3] // self.num_heads
        q = q * head**-0.5  # the head's width, as released; the text prints C's
        among_patches = self._rolled if self.patches.border == "roll" else self._within_reach
        out = among_patches(q, k, v, rows, columns)
        out = out.reshape(*out.shape[:3], out.shape[3] // head, head).permute(0, 2, 3, 1, 4)
        return self.patches.join(out.flatten(0, 1).flatten(2), height, width)

    def _within_reach(self, q: Tensor, k: Tensor, v: Tensor, rows: int, columns: int) -> Tensor:
        """Attend among the patches of a map, (B, num_heads, rows * columns, D), block by block."""
        down, across = (
            # A shifted grid has one patch more than the picture; its first and last overhang.
            Blocks.along(length, reach, without_ends=offset > 0 and length > 2, device=q.device)
            for length, reach, offset in zip((rows, columns), self.reach, self.patches.offset, strict=True)
        )
        bias = self._true_offset_bias(down.offsets, across.offsets)
        if down.whole and across.whole:
            return attend(q, k, v, bias + either(down.masked, across.masked) * MASKED)
        # Keys are copied for every block that reads them, so a large map is done by strips of blocks.
        batch, num_heads, _, width = q.shape
        strips = []
        for strip in chunks(len(down.keys), down.keys.shape[1] * across.keys.numel() * num_heads * width, LARGEST_COPY):
            keys = down.keys[strip], across.keys, columns
            masked = bias[:, None] + either(down.masked[strip], across.masked) * MASKED
            out = attend(
                cut(q, down.queries[strip], across.queries, columns),
                cut(k, *keys),
                cut(v, *keys),
                masked.repeat(batch, 1, 1, 1),
            )
            strips.append(out.reshape(-1, num_heads, out.shape[1] * out.shape[2], width))
        return uncut(torch.cat(strips, dim=2), down, across, rows, columns)

    def _rolled(self, q: Tensor, k: Tensor, v: Tensor, rows: int, columns: int) -> Tensor:
        """Attend among all patches of a cyclically shifted picture, as the paper's code does."""
        if self.reference_bias:
            bias = flat_index_bias(self.bias.table, self.reach, rows, columns)
        else:
            down, across = (torch.arange(side, device=q.device) for side in (rows, columns))
            bias = self._true_offset_bias(down[:, None] - down, across[:, None] - across)
        # The released code penalises the edge in every picture that is not of the training size, shifted or not.
        if self.patches.shifted or (self.reference_bias and (rows, columns) != self.reach):
            bias = bias + edge_penalty(rows, columns, q.device)
        return attend(q, k, v, bias)

    def _true_offset_bias(self, down: Tensor, across: Tensor) -> Tensor:
        """Eq. 6: the table at offsets `down` (q_h, k_h), `across` (q_w, k_w); nothing beyond the training distance."""
        (last_row, last_column) = (reach - 1 for reach in self.reach)
        table = self.bias.grid()
        index = down.clamp(-last_row, last_row) + last_row, across.clamp(-last_column, last_column) + last_column
        beyond = (down.abs() > last_row)[:, None, :, None] | (across.abs() > last_column)[None, :, None, :]
        queries, keys = len(down) * len(across), down.shape[1] * across.shape[1]
        return spread(table, *index) + beyond.reshape(queries, keys) * MASKED
