"""Windows over a feature map (B, H, W, C), counted from the picture's origin, shifted or not.

A shifted grid of windows overhangs the picture. There are two ways to fill the overhang:

    reflect    by reflection, and the fill is masked as a key: opposite borders never meet, so the result does not
               depend on how large the picture is. This is the operator that every network here is trained with.
    roll       by the opposite border, as Swin does (a cyclic shift), with a penalty of -100 on pairs from different
               borders. Kept for checks against the papers' own code. With an infinite penalty both are the same
               operator for attention among pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from models.contamination import Window

Size = tuple[int, int]
Border = Literal["reflect", "roll"]

ROLLED_PENALTY = -100.0  # what Swin adds to the score of a pair that the cyclic shift brought together


def partition(x: Tensor, size: Size) -> Tensor:
    """Split (B, H, W, C) into windows (B * H/h * W/w, h * w, C), row-major; `size` (h, w) divides (H, W)."""
    batch, height, width, channels = x.shape
    h, w = size
    x = x.reshape(batch, height // h, h, width // w, w, channels).transpose(2, 3)
    return x.reshape(-1, h * w, channels)


def merge(windows: Tensor, size: Size, height: int, width: int) -> Tensor:
    """Put windows (B * H/h * W/w, h * w, C) back together to (B, height, width, C); the inverse of `partition`."""
    h, w = size
    channels = windows.shape[-1]
    x = windows.reshape(-1, height // h, width // w, h, w, channels).transpose(2, 3)
    return x.reshape(-1, height, width, channels)


@dataclass(frozen=True)
class Windows:
    """A grid of windows whose borders lie at `offset` + multiples of `size`.

    Attributes:
        size: (h, w) of a window.
        offset: where the grid begins, 0 <= offset < size on each axis; (0, 0) is the plain grid.
        border: how the overhang of a shifted grid is filled (see the module).
    """

    size: Size
    offset: Size = (0, 0)
    border: Border = "reflect"

    def __post_init__(self) -> None:
        if not all(0 <= offset < size for offset, size in zip(self.offset, self.size, strict=True)):
            raise ValueError(f"offset {self.offset} is not within a window of {self.size}")

    @property
    def shifted(self) -> bool:
        """Whether the grid begins anywhere but at the picture's origin."""
        return self.offset != (0, 0)

    @property
    def layer(self) -> Window:
        """What attention inside these windows declares. Raises ValueError for a cyclic shift, which has no cuts."""
        if self.shifted and self.border == "roll":
            raise ValueError("cyclically shifted windows join opposite borders: they cannot be computed by tiles")
        return Window(self.size, self.offset)

    def scaled(self, factor: int) -> Windows:
        """Return the same grid on a map that is `factor` times smaller."""
        if any(side % factor for side in (*self.size, *self.offset)):
            raise ValueError(f"{factor} does not divide a window of {self.size} at {self.offset}")
        h, w, y, x = (side // factor for side in (*self.size, *self.offset))
        return Windows((h, w), (y, x), self.border)

    def shape(self, height: int, width: int) -> Size:
        """How many windows cover a map of height x width, as (rows, columns)."""
        rows, columns = (side // size for side, size in zip(self._covered(height, width), self.size, strict=True))
        return rows, columns

    def split(self, x: Tensor) -> Tensor:
        """Cut (B, H, W, C) into windows (B * count, h * w, C); `size` divides H and W."""
        _, height, width, channels = x.shape
        _check_divides(self.size, height, width)
        if self.shifted and self.border == "reflect":
            places = self._places(height, width, x.device)
            return x.flatten(1, 2).index_select(1, places).reshape(-1, self.size[0] * self.size[1], channels)
        return partition(self._rolled(x, -1), self.size)

    def _places(self, height: int, width: int, device: torch.device) -> Tensor:
        """Which pixel of a map, counted row by row, each token of an overhanging grid is: (count * h * w).

        One read of the map, where continuing its rows, then its columns, then cutting it up are three.
        """
        down, across = (
            reflected_index(side, size - offset if offset else 0, offset, device)
            for side, size, offset in zip((height, width), self.size, self.offset, strict=True)
        )
        return partition((down[:, None] * width + across)[None, ..., None], self.size).flatten()

    def join(self, windows: Tensor, height: int, width: int) -> Tensor:
        """Undo `split`: (B * count, h * w, C) back to (B, height, width, C), without the overhang."""
        return self._uncovered(merge(windows, self.size, *self._covered(height, width)), height, width)

    def _rolled(self, x: Tensor, direction: int) -> Tensor:
        """Move the map by the offset, what leaves on one side coming in on the other; none for a plain grid."""
        return torch.roll(x, tuple(direction * side for side in self.offset), dims=(1, 2)) if self.shifted else x

    def _uncovered(self, x: Tensor, height: int, width: int) -> Tensor:
        """The map without its overhang."""
        if self.border == "roll":
            return self._rolled(x, 1)
        top, left = (size - offset if offset else 0 for size, offset in zip(self.size, self.offset, strict=True))
        return x[:, top : top + height, left : left + width]

    def filled(self, height: int, width: int, device: torch.device | None = None) -> Tensor | None:
        """Which tokens of which window are fill: bool (count, h * w); None where no token is.

        Only for border="reflect"; a rolled grid has no fill.
        """
        if not self.shifted or self.border == "roll":
            return None
        outside = []
        for side, size, offset in zip((height, width), self.size, self.offset, strict=True):
            place = torch.arange(side + (size if offset else 0), device=device) - (size - offset if offset else 0)
            outside.append((place < 0) | (place >= side))
        return partition((outside[0][:, None] | outside[1][None, :])[None, ..., None], self.size)[..., 0]

    def regions(self, height: int, width: int, device: torch.device | None = None) -> Tensor:
        """Which side of the picture's border each token of a rolled grid came from: integers (count, h * w)."""
        label = []
        for side, offset in zip((height, width), self.offset, strict=True):
            label.append((torch.arange(side, device=device) >= side - offset).long())
        return partition((2 * label[0][:, None] + label[1][None, :])[None, ..., None], self.size)[..., 0]

    def _covered(self, height: int, width: int) -> Size:
        if self.border == "roll":
            return height, width
        return height + (self.size[0] if self.offset[0] else 0), width + (self.size[1] if self.offset[1] else 0)


def rolled_penalty(queries: Tensor, keys: Tensor) -> Tensor:
    """Scores added to pairs that a cyclic shift brought together: -100 where the regions differ, else 0.

    Args:
        queries: `regions` of the query windows, (count, Nq).
        keys: `regions` of the key windows, (count, Nk).

    Returns:
        (count, Nq, Nk), float32.
    """
    return (queries[:, :, None] != keys[:, None, :]) * ROLLED_PENALTY


def reflected_index(size: int, before: int, after: int, device: torch.device | None = None) -> Tensor:
    """Indices -before .. size+after-1 folded into 0..size-1 by reflection, the edge not repeated, any length."""
    place = torch.arange(-before, size + after, device=device)
    period = max(2 * (size - 1), 1)
    place = place.remainder(period)
    return torch.minimum(place, period - place) if size > 1 else torch.zeros_like(place)


def _check_divides(size: Size, height: int, width: int) -> None:
    if height % size[0] or width % size[1]:
        raise ValueError(f"window {size[0]}x{size[1]} does not divide feature map {height}x{width}")
