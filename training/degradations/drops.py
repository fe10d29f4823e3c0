"""Raindrops on a window: each a small lens that shows the scene upside down."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from training.degradations.colour import as_file
from training.degradations.draws import Draws
from training.degradations.ranges import Range, check_range, check_shares

_CELLS_PX = (64, 28, 12)
"""Drops are drawn in grids of these cells, one drop a cell at most: large, middle and small ones."""


@dataclass(frozen=True)
class Drops:
    """Drops on glass before the lens: I = (1 - M) B + D (Qian et al., "Attentive GAN", 2018, equation 1).

    Within a drop's mask M the light D comes from a wide part of the scene, turned by 180 degrees about the drop, out of
    focus, and darker towards the rim (refraction of a spherical cap, as Roser and Geiger, 2009, model it).

    Attributes:
        fill: share of a grid's cells that hold a drop, uniform per picture.
        radius: radius of a drop over half of its cell, uniform per drop.
        zoom: how much of the scene a drop gathers: distance shown over distance within the drop, uniform per drop.
        softness: width of the rim over the radius: the glass is out of focus; uniform per picture.
        shade: light lost at the rim, 0..1, uniform per drop.
    """

    fill: Range = (0.1, 0.7)
    radius: Range = (0.25, 0.8)
    zoom: Range = (1.5, 4.0)
    softness: Range = (0.1, 0.5)
    shade: Range = (0.0, 0.5)

    def __post_init__(self) -> None:
        check_range("fill", self.fill, 0, 1)
        check_range("radius", self.radius, 0.05, 0.95)
        check_range("zoom", self.zoom, 0, 20)
        check_range("softness", self.softness, 0.01, 1)
        check_range("shade", self.shade, 0, 1)
        check_shares(self)

    def __call__(self, clean: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (seen through drops, clean) of sRGB pictures (B, 3, H, W) in 0..1; the former in 8-bit steps."""
        draw = Draws(generator, clean.device)
        batch, _, height, width = clean.shape
        height_map = torch.zeros(batch, 1, height, width, device=clean.device)
        away = torch.zeros(batch, 2, height, width, device=clean.device)
        shade = torch.zeros_like(height_map)
        for cell in _CELLS_PX:
            bump, shift, dark = self._grid_of_drops(draw, batch, height, width, cell)
            higher = bump > height_map
            height_map, away = torch.where(higher, bump, height_map), torch.where(higher, shift, away)
            shade = torch.where(higher, dark, shade)
        softness = draw.uniform(self.softness, batch, 1, 1, 1)
        mask = (height_map / softness).clamp(0.0, 1.0)
        mask = mask * mask * (3 - 2 * mask)
        lens = _look_up(clean, away) * (1 - shade * (1 - height_map).square())
        return as_file(clean * (1 - mask) + lens * mask), clean

    def _grid_of_drops(
        self, draw: Draws, batch: int, height: int, width: int, cell: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One drop at most in each cell of a grid laid anywhere: height 0..1, where its light comes from, rim's shade.

        Shapes (B, 1, H, W), (B, 2, H, W) as (down, right) pixels from here, and (B, 1, H, W).
        """
        rows, columns = height // cell + 2, width // cell + 2
        start = draw.uniform((0.0, float(cell)), batch, 2)
        place_y = torch.arange(height, device=draw.device) + start[:, :1]
        place_x = torch.arange(width, device=draw.device) + start[:, 1:]
        index = ((place_y // cell).long()[:, :, None] * columns + (place_x // cell).long()[:, None, :]).flatten(1)

        limit = draw.uniform(self.radius, batch, 1, rows * columns)
        room = 1 - limit
        drops = torch.cat(
            (
                draw.uniform((-1.0, 1.0), batch, 2, rows * columns) * room,  # centre, in half cells from the middle
                limit,
                draw.uniform((0.75, 1.0), batch, 1, rows * columns),  # width over height
                draw.uniform(self.zoom, batch, 1, rows * columns),
                draw.uniform(self.shade, batch, 1, rows * columns),
                (draw.unit(batch, 1, rows * columns) < draw.uniform(self.fill, batch, 1, 1)).float(),
            ),
            dim=1,
        )
        here = drops.gather(2, index[:, None].expand(-1, drops.shape[1], -1)).view(batch, -1, height, width)
        centre_y, centre_x, radius, aspect, zoom, dark, exists = here.unsqueeze(2).unbind(dim=1)
        within_y = 2 * (place_y % cell) / cell - 1
        within_x = 2 * (place_x % cell) / cell - 1
        down, right = within_y[:, None, :, None] - centre_y, within_x[:, None, None, :] - centre_x
        # Narrower above than below, as drops that hang on glass are.
        taper = aspect * (1 + 0.3 * down / radius)
        squared = (down.square() + (right / taper.clamp_min(0.3)).square()) / radius.square()
        bump = (1 - squared).clamp_min(0.0) * exists
        # The ray through a point at distance d from the centre meets the scene at -zoom d from it.
        shift = -(1 + zoom) * torch.cat((down, right), dim=1) * (cell / 2)
        return bump, shift, dark


def _look_up(pictures: Tensor, away: Tensor) -> Tensor:
    """Sample blurred pictures (B, 3, H, W) at `away` (B, 2, H, W), (down, right) pixels from each pixel."""
    height, width = pictures.shape[-2:]
    # A quarter of the size, interpolated: the drop's picture of the scene is out of focus.
    small = F.avg_pool2d(pictures, 4, ceil_mode=True, count_include_pad=False)
    rows = (torch.arange(height, device=pictures.device)[:, None] + away[:, 0] + 0.5) * (2 / height) - 1
    columns = (torch.arange(width, device=pictures.device) + away[:, 1] + 0.5) * (2 / width) - 1
    grid = torch.stack((columns, rows), dim=-1)
    return F.grid_sample(small, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
