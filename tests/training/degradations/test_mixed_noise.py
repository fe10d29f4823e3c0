from __future__ import annotations

import pytest
import torch

from training.degradations.camera import CameraNoise
from training.degradations.mixed_noise import MixedNoise
from training.degradations.noise import GaussianNoise
from training.degradations.ranges import DegradationError

CLEAN = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(5))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_each_picture_has_one_kind_of_noise_by_its_share() -> None:
    white = GaussianNoise(sigma=(50, 60), clipped_share=0, grey_share=0)
    noisy, target = MixedNoise(gaussian=white, camera_share=0.3, clean_share=0.2)(CLEAN, seeded())
    in_steps = ((noisy * 255 - (noisy * 255).round()).abs().amax((1, 2, 3)) < 1e-3).sum().item()
    clean = (noisy == target).all(dim=1).all(dim=1).all(dim=1).sum().item()
    assert 0.15 < in_steps / 64 < 0.45  # a camera's are files, the others are not
    assert 0.1 < clean / 64 < 0.35


@pytest.mark.parametrize(("camera_share", "alone"), [(0.0, GaussianNoise()), (1.0, CameraNoise(shot=(0.01, 0.01)))])
def test_one_kind_alone_has_the_deviation_of_that_kind(camera_share, alone) -> None:
    mixed = MixedNoise(camera=CameraNoise(shot=(0.01, 0.01)), camera_share=camera_share, clean_share=0)
    noisy, target = mixed(CLEAN, seeded())
    wanted, of_target = alone(CLEAN, seeded())
    assert (noisy - target).std().item() == pytest.approx((wanted - of_target).std().item(), rel=0.1)


def test_with_nothing_but_clean_pictures_nothing_is_changed() -> None:
    kept = CLEAN.clone()
    noisy, target = MixedNoise(gaussian=GaussianNoise(grey_share=0), camera_share=0, clean_share=1)(CLEAN, seeded())
    assert torch.equal(noisy, CLEAN)
    assert torch.equal(target, CLEAN)
    assert torch.equal(CLEAN, kept)


def test_a_grey_picture_among_them_stays_grey() -> None:
    noisy, target = MixedNoise(gaussian=GaussianNoise(grey_share=1), camera_share=0, clean_share=0.5)(CLEAN, seeded())
    for pictures in (noisy, target):
        assert torch.equal(pictures[:, 0], pictures[:, 2])


def test_shares_that_exceed_one_together_are_refused() -> None:
    with pytest.raises(DegradationError, match=r"1 together, not 1\.2"):
        MixedNoise(camera_share=0.7, clean_share=0.5)
