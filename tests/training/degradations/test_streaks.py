from __future__ import annotations

import pytest
import torch

from training.degradations.streaks import streaks


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_a_layer_is_grey_within_range_and_mostly_empty() -> None:
    layer = streaks(4, 64, 80, generator())
    assert layer.shape == (4, 1, 64, 80)
    assert layer.min() >= 0
    assert layer.max() <= 1
    assert (layer > 0.02).float().mean() < 0.5


def test_no_density_but_the_least_draws_almost_nothing() -> None:
    assert streaks(2, 64, 64, generator(), density=(1e-9, 1e-9)).max() == 0


def one_streak(**options: tuple[float, float]) -> torch.Tensor:
    """One layer with sparse streaks: its autocorrelation has the shape of one."""
    layer = streaks(
        1, 256, 256, generator(), density=(3e-5, 3e-5), strength=(1, 1), layers=1,
        **{"width_px": (1, 1), "length_px": (40, 40), "angle_deg": (0, 0), **options},  # type: ignore[arg-type]
    )  # fmt: skip
    spectrum = torch.fft.fft2(layer[0, 0]).abs().square()
    return torch.fft.fftshift(torch.fft.ifft2(spectrum).real)


def test_vertical_rain_is_long_down_and_narrow_across() -> None:
    correlation = one_streak()
    assert correlation[128 + 15, 128 - 3 : 128 + 4].max() > 0.4 * correlation[128, 128]
    assert correlation[128, 128 + 8] < 0.1 * correlation[128, 128]


def test_the_angle_leans_the_upper_end_to_the_left() -> None:
    correlation = one_streak(angle_deg=(30, 30))
    rightwards = correlation[128 + 14, 128 + 4 : 128 + 13].max()
    assert rightwards > 3 * correlation[128 + 14, 128 - 12 : 128 - 3].max().clamp_min(0.05 * correlation[128, 128])


def test_the_brightest_streak_has_the_strength_asked_for() -> None:
    layer = streaks(1, 256, 256, generator(), density=(4e-4, 4e-4), strength=(0.5, 0.5), length_px=(12, 12), layers=1)
    assert layer.max().item() == pytest.approx(0.5, rel=0.12)


def test_density_counts_streaks_per_pixel() -> None:
    few, many = (
        streaks(8, 96, 96, generator(), density=(d, d), strength=(0.01, 0.01)).sum().item() for d in (5e-4, 2e-3)
    )
    assert many / few == pytest.approx(4, rel=0.3)
