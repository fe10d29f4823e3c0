"""Where KiT begins: with maps at the picture's scale, from which the picture can be read at every level.

With the stock starting values detail fades to a hundredth on its way through the U, and a level's map says nothing of
single pixels: thousands of steps go into bringing them back before any level but the finest is of use.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn


def at_the_pictures_scale(network: nn.Module) -> None:
    """Let convolutions keep the scale of what they read, depthwise ones nearly the map itself."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            taken = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.in_channels
            nn.init.normal_(module.weight, std=0.1 if module.groups > 1 else taken**-0.5)
            nn.init.zeros_(cast(Tensor, module.bias))
            if module.groups > 1:
                with torch.no_grad():
                    module.weight[:, :, 1, 1] += 1


@torch.no_grad()
def around_grey(first: nn.Conv2d) -> None:
    """Let a picture's grey, not its black, become zero."""
    cast(Tensor, first.bias).sub_(0.5 * first.weight.sum((1, 2, 3)))


@torch.no_grad()
def carry_pixels(
    first: nn.Conv2d, levels: Iterable[tuple[nn.Conv2d, nn.ConvTranspose2d, nn.Linear]], *, pixels: int
) -> None:
    """Let the picture's pixels pass through the U as they are, as far as its channels hold them.

    A strided convolution begins with the four pixels of a block side by side, or where four times the channels that
    carry pixels are more than it gives, with an orthogonal projection of them; the transposed one with its inverse.

    Args:
        first: the convolution that reads the picture, 3x3.
        levels: of every level, from the finest: to the next one (4x4, stride 2), back (2x2, stride 2), and what joins
            (returned, skipped) of C channels each to C.
        pixels: how many channels of `first`'s input are pixels to be carried on.
    """
    first.weight[:pixels] = 0
    first.weight[:pixels, :, 1, 1] = torch.eye(pixels, first.in_channels)
    for shrink, grow, fuse in levels:
        folded = torch.zeros(shrink.out_channels, shrink.in_channels, 2, 2)
        held = 4 * pixels if 4 * pixels <= shrink.out_channels else 0
        carried = held // 4
        folded[:held, :carried] = torch.eye(held).reshape(held, carried, 2, 2)
        folded[held:, carried:] = nn.init.orthogonal_(
            torch.empty(shrink.out_channels - held, 4 * (shrink.in_channels - carried))
        ).reshape(-1, shrink.in_channels - carried, 2, 2)
        shrink.weight.zero_()
        shrink.weight[:, :, 1:3, 1:3] = folded
        grow.weight.copy_(folded)
        fuse.weight.copy_(0.5 * torch.eye(fuse.out_features).repeat(1, 2))
        pixels = held
