"""The two attentions of IPT-V2: focal context (channels, inside windows) and global grid (pixels, across a cell)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.contamination import Chain, Conv, Overlapping, Parallel, Window
from models.layers.rep_conv import Depthwise


class FocalContextAttention(nn.Module):
    """FCSA (Eq. 2, 3): channel attention inside p x p windows, once on the lattice and once half a window off it.

    The shifted branch is not cyclic: a border of p/2 is dropped on every side and comes back as zeros. Four learned
    maps of (heads, p, p) weigh space: one per branch on q and k before their norm, one per branch on its answer.
    """

    def __init__(self, channels: int, num_heads: int, window: int) -> None:
        super().__init__()
        self.num_heads, self.window = num_heads, window
        self.single = window  # the shifted branch needs more than one window
        self.overlapping = 0
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.local = Depthwise(3 * channels, 3)
        self.temperature = nn.Parameter(torch.ones(num_heads, 1, 1))
        self.spatial = nn.Parameter(torch.ones(2, num_heads, window * window, 1))  # w_t of either branch
        self.merge = nn.Parameter(torch.full((2, num_heads, window * window, 1), 0.5))  # w_top, w_bottom
        self.project = nn.Linear(channels, channels, bias=False)

    @property
    def chain(self) -> Chain:
        """How far a cut is felt."""
        half = self.window // 2
        return (Conv(1), Parallel((Window(self.window),), (Window(self.window, half),)))

    def forward(self, x: Tensor) -> Tensor:
        """Attend on (B, H, W, C); the window divides H and W."""
        # Sizes come from `x`: a graph that asks a convolution's answer for its size lays it out twice.
        qkv = self.local(self.qkv(x)).reshape(*x.shape[:2], -1)  # (B, H, W * 3C), see models/layers/rows.py
        batch, rows, columns = x.shape[0], x.shape[1] // self.window, x.shape[2] // self.window
        out = self._attend(qkv, (batch, rows, columns), 0)
        if min(x.shape[1:3]) > self.window:
            half = self.window // 2
            beside = half * self.qkv.out_features
            inside = self._attend(qkv[:, half:-half, beside:-beside], (batch, rows - 1, columns - 1), 1)
            out = out + F.pad(inside, (0, 0, *4 * (half,)))
        return self.project(out)  # type: ignore[no-any-return]

    def _attend(self, qkv: Tensor, windows: tuple[int, int, int], branch: int) -> Tensor:
        """Channel attention in the (B, rows, columns) windows of (B, H, W * 3C), weighed by the maps of `branch`."""
        batch, rows, columns = windows
        size, heads = self.window, self.num_heads
        split = qkv.reshape(batch, rows, size, columns, size, 3, heads, -1).permute(5, 0, 1, 3, 6, 2, 4, 7)
        q, k, v = split.reshape(3, batch * rows * columns, heads, size * size, -1)
        # 1/p keeps the sums over p*p pixels small in half precision.
        spatial = self.spatial[branch].to(qkv.dtype) / size
        q, k = q * spatial, k * spatial
        # The unit vectors' product, with the norms taken out of the sum: they scale a d x d matrix instead of p*p rows.
        scores = (q.transpose(-1, -2) @ k).to(torch.promote_types(q.dtype, torch.float32))
        norms = _norm(q).unsqueeze(-1) * _norm(k).unsqueeze(-2)
        weights = torch.softmax(scores / norms * self.temperature, dim=-1).to(v.dtype)
        out = (v @ weights.transpose(-1, -2)) * self.merge[branch].to(v.dtype)
        out = out.reshape(batch, rows, columns, heads, size, size, -1).permute(0, 1, 4, 2, 5, 3, 6)
        merged: Tensor = out.reshape(batch, rows * size, columns * size, -1)
        return merged


def _norm(x: Tensor) -> Tensor:
    """Length along space of (..., pixels, d), in float32 at least, never zero."""
    squares: Tensor = x.to(torch.promote_types(x.dtype, torch.float32)).square().sum(-2)
    return squares.add(1e-12).sqrt()


class GlobalGridAttention(nn.Module):
    """GGSA (Eq. 4): the g*g pixels at the same place of every cubby attend to each other.

    The paper stretches the grid over the whole map, so its meaning changes with the picture's size. Here the grid
    covers a `cell` of fixed side, counted from the picture's origin: equal to the paper at that size, and local at any
    other. `cell` 0 is the paper's whole map.

    Side by side, cells show where each makes up its own mind about all of its pixels, such as how dense the fog is.
    `faded`, they overlap by half, and answers fade from one into the next: nothing jumps, for two to four times the
    attention. A map of one cell is the same either way.
    """

    def __init__(self, channels: int, num_heads: int, grid: int, cell: int, *, faded: bool = False) -> None:
        super().__init__()
        self.num_heads, self.grid, self.cell, self.faded = num_heads, grid, cell, faded
        self.single = self.overlapping = cell if faded else 0  # one cell overlaps with none
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.position_bias = nn.Parameter(torch.zeros(num_heads, (2 * grid - 1) ** 2))
        self.project = nn.Linear(channels, channels, bias=False)
        self.register_buffer("pairs", _pair_offsets(grid), persistent=False)
        self.pairs: Tensor

    @property
    def chain(self) -> Chain:
        """How far a cut is felt; a grid over the whole map has no end."""
        if not self.cell:
            raise ValueError("a grid stretched over the whole picture cannot be computed by tiles")
        return (Overlapping(self.cell),) if self.faded else (Window(self.cell),)

    def forward(self, x: Tensor) -> Tensor:
        """Attend on (B, H, W, C); the cell (or, for the whole map, the grid; or half a faded cell) divides H and W."""
        qkv = self.qkv(x)
        alone = not self.faded or max(x.shape[1:3]) <= self.cell
        return self.project(self._attend(qkv) if alone else self._fade(qkv))  # type: ignore[no-any-return]

    def _fade(self, qkv: Tensor) -> Tensor:
        """Attention in the cells that begin at every half of one, on (B, H, W, 3C); (B, H, W, C)."""
        height, width = qkv.shape[1:3]
        faded: Tensor | float = 0.0
        for top, down in overlaps(height, self.cell, qkv):
            for left, across in overlaps(width, self.cell, qkv):
                bottom, right = top + down.shape[0], left + across.shape[0]
                answer = self._attend(qkv[:, top:bottom, left:right]) * (down[:, None, None] * across[:, None])
                faded = faded + F.pad(answer, (0, 0, left, width - right, top, height - bottom))
        assert isinstance(faded, Tensor)
        return faded

    def _attend(self, qkv: Tensor) -> Tensor:
        """Attention in cells that lie side by side, on (B, H, W, 3C); (B, H, W, C)."""
        batch, height, width, _ = qkv.shape
        tall, wide = (self.cell, self.cell) if self.cell else (height, width)
        grid, heads = self.grid, self.num_heads
        cells = (batch, height // tall, grid, tall // grid, width // wide, grid, wide // grid)
        # Never more than eight axes at once: TensorRT takes no more.
        channels = qkv.shape[-1] // 3
        qkv = qkv.reshape(*cells, -1).permute(0, 1, 3, 4, 6, 2, 5, 7)
        q, k, v = qkv.reshape(-1, grid * grid, 3, heads, channels // heads).permute(2, 0, 3, 1, 4)
        bias = self.position_bias[:, self.pairs].to(q.dtype)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.unsqueeze(0))
        out = out.transpose(1, 2).reshape(batch, cells[1], cells[3], cells[4], cells[6], grid, grid, channels)
        merged: Tensor = out.permute(0, 1, 5, 2, 3, 6, 4, 7).reshape(batch, height, width, channels)
        return merged


def overlaps(side: int, cell: int, like: Tensor) -> list[tuple[int, Tensor]]:
    """Two rows of cells that overlap by half: where each begins along `side` pixels, and how much its pixels weigh.

    Weights rise from a cell's borders to its middle, and add up to one; where no other cell is, out to the map's
    border, one weighs all. A side of a single cell has no second row. `like` has the weights' device and type.
    """
    half = cell // 2
    starts = (0, half) if side > cell else (0,)
    # Sizes stay expressions of `side`, which an export traces; `len` would make them constants.
    sizes = [(side - start) // cell * cell for start in starts]
    rows = [1 - ((torch.arange(size, device=like.device) % cell + 0.5) / half - 1).abs() for size in sizes]
    spans = [(start, side - start - size) for start, size in zip(starts, sizes, strict=True)]
    total = torch.stack([F.pad(row, span) for row, span in zip(rows, spans, strict=True)]).sum(0)
    return [
        (start, (row / total[start : start + size]).to(like.dtype))
        for start, size, row in zip(starts, sizes, rows, strict=True)
    ]


def _pair_offsets(grid: int) -> Tensor:
    """Index (g*g, g*g) into the (2g-1)^2 relative offsets of a grid's pixels, row-major."""
    place = torch.arange(grid)
    offset = place[:, None] - place[None, :] + grid - 1
    index = offset[:, None, :, None] * (2 * grid - 1) + offset[None, :, None, :]
    return index.reshape(grid * grid, grid * grid)
