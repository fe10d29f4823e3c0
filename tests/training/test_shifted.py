from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from imaging.mosaic import PATTERNS, begun_earlier, offset
from models.network import RestorationNetwork
from training.degradations.mosaic import bayer_planes
from training.shifted import Shifted


class OwnColours(RestorationNetwork):
    """Every value of an RGGB mosaic in its own colour, and nothing else."""

    in_channels, out_channels, lattice = 1, 3, 2

    def restore(self, x: Tensor) -> Tensor:
        return x * bayer_planes(*x.shape[-2:])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_comes_out_in_its_own_colours(pattern: str) -> None:
    mosaic = torch.rand(1, 1, 7, 9, generator=torch.Generator().manual_seed(0))
    answer = Shifted(OwnColours(), "rggb", pattern)(mosaic)
    assert torch.equal(answer, mosaic * bayer_planes(7, 9, pattern))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_mosaic_is_begun_earlier_as_the_service_does_it(pattern: str) -> None:
    mosaic = np.random.default_rng(0).random((6, 5, 1), np.float32)
    seen: list[Tensor] = []
    shifted = Shifted(OwnColours(), "rggb", pattern)
    shifted.network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    shifted(torch.from_numpy(mosaic).permute(2, 0, 1)[None])
    assert np.array_equal(seen[0][0].permute(1, 2, 0).numpy(), begun_earlier(mosaic, *offset(pattern, "rggb")))
