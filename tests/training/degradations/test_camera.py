from __future__ import annotations

import pytest
import torch

from training.degradations.camera import CameraNoise
from training.degradations.draws import Draws


def noise_of(level: float, **options: object) -> torch.Tensor:
    clean = torch.full((4, 3, 64, 64), level)
    noisy, target = CameraNoise(jpeg_share=0, **options)(clean, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    return noisy - target


def test_without_noise_development_gives_the_picture_back() -> None:
    clean = (torch.rand(2, 3, 32, 32) * 255).round() / 255
    noisy, target = CameraNoise(shot=(1e-8, 1e-8), jpeg_share=0)(clean, torch.Generator().manual_seed(0))
    torch.testing.assert_close(noisy, clean, atol=1.01 / 255, rtol=0)
    assert torch.equal(target, clean)


def test_the_colour_matrix_keeps_white_and_its_inverse_keeps_raw_light_within_the_sensor() -> None:
    camera = CameraNoise(red_gain=(1, 1), blue_gain=(1, 1), digital_gain=(1, 1))
    matrices = camera._colour_matrices(Draws(torch.Generator().manual_seed(0), torch.device("cpu")), 32)
    torch.testing.assert_close(matrices.sum(dim=2), torch.ones(32, 3))
    assert torch.linalg.inv(matrices).min() > -1e-6


def test_noise_is_demosaiced_so_that_neighbours_agree() -> None:
    noise = noise_of(0.5, shot=(0.002, 0.002))
    here, right = noise[..., :-1].flatten(), noise[..., 1:].flatten()
    assert torch.corrcoef(torch.stack((here, right)))[0, 1] > 0.2


def test_blue_is_noisier_than_green_for_its_gain() -> None:
    noise = noise_of(0.5, shot=(0.002, 0.002), crosstalk=(0.05, 0.05))
    assert noise[:, 0].std() > noise[:, 1].std()


def test_more_shot_noise_is_more_noise() -> None:
    assert noise_of(0.5, shot=(0.01, 0.01)).std() > 2 * noise_of(0.5, shot=(0.001, 0.001)).std()


def test_jpeg_touches_its_share_of_the_pictures() -> None:
    clean = torch.rand(1, 3, 32, 32).expand(100, -1, -1, -1)
    camera = CameraNoise(shot=(1e-8, 1e-8), jpeg_share=0.3, jpeg_quality=(50, 50))
    noisy, _ = camera(clean, torch.Generator().manual_seed(0))
    changed = (noisy - clean).abs().mean(dim=(1, 2, 3)) > 0.02
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.15)
