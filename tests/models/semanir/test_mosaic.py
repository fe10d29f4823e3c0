from __future__ import annotations

import torch
from torch.nn import functional as F

from models.semanir.model import CONFIGS, SemanIR
from models.semanir.mosaic import LinearDemosaic


def mosaic(picture: torch.Tensor) -> torch.Tensor:
    grey = picture[:, 1:2].clone()
    grey[..., ::2, ::2] = picture[:, :1, ::2, ::2]
    grey[..., 1::2, 1::2] = picture[:, 2:, 1::2, 1::2]
    return grey


def test_linear_demosaicking_starts_as_bilinear() -> None:
    rows, columns = torch.meshgrid(torch.arange(16.0), torch.arange(20.0), indexing="ij")
    ramps = torch.stack([rows + 2 * columns, 3 * rows - columns, 5 - rows])[None]
    packed = F.pixel_unshuffle(mosaic(ramps), 2).permute(0, 2, 3, 1)
    restored = F.pixel_shuffle(LinearDemosaic()(packed).permute(0, 3, 1, 2), 2)
    assert (restored - ramps)[..., 2:-2, 2:-2].abs().max() <= 1e-4  # linear interpolation is exact on ramps


def test_an_untrained_demosaicking_network_keeps_a_flat_colour() -> None:
    network = SemanIR(CONFIGS["tiny_demosaic"]).eval()
    for parameter in network.tail.parameters():
        parameter.data.zero_()
    colour = torch.tensor([0.2, 0.5, 0.9]).reshape(1, 3, 1, 1).expand(1, 3, 11, 18)
    with torch.no_grad():
        assert (network(mosaic(colour)) - colour).abs().max() <= 1e-6
