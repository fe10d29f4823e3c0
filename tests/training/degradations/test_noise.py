from __future__ import annotations

import pytest
import torch

from training.degradations.colour import luma
from training.degradations.noise import GaussianNoise

GREY = torch.full((2, 3, 96, 96), 0.5)


def test_unclipped_noise_has_the_deviation_asked_for_and_leaves_the_range() -> None:
    noisy, target = GaussianNoise(sigma=(50, 50), clipped_share=0, grey_share=0)(
        torch.ones(2, 3, 96, 96), torch.Generator().manual_seed(0)
    )
    assert ((noisy - target) * 255).std().item() == pytest.approx(50, rel=0.02)
    assert noisy.max() > 1


def test_clipped_noise_is_what_a_file_holds() -> None:
    noisy, _ = GaussianNoise(sigma=(50, 50), clipped_share=1)(
        torch.ones(2, 3, 96, 96), torch.Generator().manual_seed(0)
    )
    assert noisy.max() == 1
    torch.testing.assert_close(noisy * 255, (noisy * 255).round(), atol=1e-3, rtol=0)


def test_a_grey_picture_has_grey_noise_and_a_grey_target() -> None:
    clean = torch.rand(2, 3, 32, 32)
    noisy, target = GaussianNoise(sigma=(25, 25), grey_share=1)(clean, torch.Generator().manual_seed(0))
    torch.testing.assert_close(target, luma(clean).expand_as(clean))
    assert torch.equal(noisy[:, 0], noisy[:, 2])


def test_the_channels_of_colour_noise_are_independent() -> None:
    noisy, target = GaussianNoise(sigma=(25, 25), grey_share=0)(GREY, torch.Generator().manual_seed(0))
    channels = torch.corrcoef((noisy - target).transpose(0, 1).flatten(1))
    assert (channels - torch.eye(3)).abs().max() < 0.05


def test_each_picture_has_its_own_sigma_spread_over_the_range() -> None:
    noisy, target = GaussianNoise(clipped_share=0)(torch.zeros(512, 3, 8, 8), torch.Generator().manual_seed(0))
    sigmas = (noisy - target).flatten(1).std(dim=1) * 255
    assert sigmas.min() < 8
    assert sigmas.max() > 52
    assert sigmas.mean().item() == pytest.approx(30, abs=3)
