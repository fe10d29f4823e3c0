from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.kit.model import CONFIGS, KiT


@pytest.fixture
def network() -> KiT:
    torch.manual_seed(0)
    return KiT(CONFIGS["tiny_deblur"])


def test_the_pictures_pixels_are_in_the_first_map_around_grey(network: KiT) -> None:
    picture = torch.rand(1, 16, 16, 3)
    pixels = F.pixel_unshuffle(picture.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
    with torch.no_grad():
        assert (network.stem(picture)[..., :12] - (pixels - 0.5)).abs().max() <= 1e-6


def test_they_come_back_from_the_level_below_as_they_were(network: KiT) -> None:
    with torch.no_grad():
        first = network.stem(torch.rand(1, 16, 16, 3))
        again = network.grow[0](network.shrink[0](first))
        assert (again[..., :12] - first[..., :12]).abs().max() <= 1e-6
        below = torch.rand(1, 4, 4, 128)  # a level that cannot hold all four times loses nothing of what lies in it
        assert (network.shrink[1](network.grow[1](below)) - below).abs().max() <= 1e-5


def test_what_returns_and_what_is_skipped_are_joined_in_equal_parts(network: KiT) -> None:
    fuse = network.fuse[0]
    assert isinstance(fuse, nn.Linear)
    below, skipped = torch.rand(2, 5, fuse.out_features)
    with torch.no_grad():
        assert (fuse(torch.cat((below, skipped), dim=-1)) - (below + skipped) / 2).abs().max() <= 1e-6
