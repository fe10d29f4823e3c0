from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from training.degradations.blur import MotionBlur, rasterise, stretch_lights
from training.degradations.colour import to_linear, to_srgb
from training.degradations.convolution import convolve
from training.degradations.defocus import _LEVELS, Defocus, _hats, aperture, reach
from training.degradations.draws import Draws
from training.degradations.ranges import DegradationError

CPU = torch.device("cpu")


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_linear_light_and_back_is_the_same_picture() -> None:
    srgb = torch.linspace(0, 1, 256)
    torch.testing.assert_close(to_srgb(to_linear(srgb)), srgb, atol=1e-5, rtol=0)


def test_convolving_is_what_a_convolution_with_reflected_borders_gives() -> None:
    pictures, kernels = torch.rand(2, 3, 20, 23), torch.rand(2, 2, 7, 7)
    for n, blurred in enumerate(convolve(pictures, kernels)):
        for i in range(2):
            padded = F.pad(pictures[i][:, None], (3, 3, 3, 3), mode="reflect")
            expected = F.conv2d(padded, kernels[i, n].flip(0, 1)[None, None])[:, 0]
            torch.testing.assert_close(blurred[i], expected, atol=1e-4, rtol=1e-4)


def test_a_kernel_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(DegradationError, match="a kernel of radius 9 needs pictures larger than 8x30"):
        next(convolve(torch.rand(1, 3, 30, 8), torch.rand(1, 1, 19, 19)))


def test_a_trajectory_is_as_long_as_asked_and_centred() -> None:
    paths = MotionBlur(length_px=(24, 24)).trajectories(Draws(generator(), CPU), 16)
    lengths = paths.diff(dim=1).norm(dim=2).sum(dim=1)
    torch.testing.assert_close(lengths, torch.full((16,), 24 * 95 / 96), atol=1e-3, rtol=0)
    assert paths.mean(dim=1).abs().max() < 1e-4
    assert paths.norm(dim=2).max() <= 12.01


def test_without_wander_or_jerk_a_trajectory_is_straight() -> None:
    blur = MotionBlur(length_px=(24, 24), wander_deg=(0, 0), jerk_share=0)
    paths = blur.trajectories(Draws(generator(), CPU), 8)
    ends = (paths[:, -1] - paths[:, 0]).norm(dim=1)
    torch.testing.assert_close(ends, torch.full((8,), 24 * 95 / 96), atol=1e-3, rtol=0)


def test_kernels_have_sum_one_and_the_path_keeps_the_picture_in_place() -> None:
    paths = MotionBlur().trajectories(Draws(generator(), CPU), 16)
    kernels = rasterise(paths, radius=17)
    torch.testing.assert_close(kernels.sum(dim=(1, 2)), torch.ones(16))
    centre = (kernels.sum(dim=2) * torch.arange(-17.0, 18.0)).sum(dim=1)
    assert centre.abs().max() < 1e-3


def test_a_flat_picture_stays_flat_and_a_sharp_share_stays_sharp() -> None:
    flat = torch.full((2, 3, 48, 48), 128 / 255)
    blurred, _ = MotionBlur(sigma=(0, 0))(flat, generator())
    torch.testing.assert_close(blurred, flat, atol=1e-6, rtol=0)
    clean = torch.rand(2, 3, 48, 48)
    for degrade in (MotionBlur(clean_share=1), Defocus(clean_share=1)):
        assert torch.equal(degrade(clean, generator())[0], clean)


def test_a_clipped_lamp_draws_a_brighter_trace_than_the_file_would() -> None:
    lamp = torch.zeros(1, 3, 48, 48)
    lamp[..., 22:26, 22:26] = 1
    options = {"length_px": (20, 20), "sigma": (0, 0), "clean_share": 0, "lights_gain": (8, 8)}
    plain, _ = MotionBlur(lights_share=0, **options)(lamp, generator())  # type: ignore[arg-type]
    bright, _ = MotionBlur(lights_share=1, **options)(lamp, generator())  # type: ignore[arg-type]
    assert to_linear(bright).sum() > 2 * to_linear(plain).sum()


def test_only_clipped_light_is_stretched() -> None:
    light = torch.tensor([[0.85, 0.85, 0.85], [1.0, 0.2, 0.2], [1.0, 1.0, 0.5]])[:, :, None, None]
    stretched = stretch_lights(light, torch.tensor(4.0))
    torch.testing.assert_close(stretched / light, torch.tensor([1.0, 1.0, 4.0])[:, None, None, None].expand(3, 3, 1, 1))


@pytest.mark.parametrize("blades", [0, 5, 6, 8])
def test_an_aperture_has_sum_one_and_the_area_of_its_disc(blades: int) -> None:
    kernel = aperture(torch.tensor([[6.0]]), torch.tensor([float(blades)]), torch.tensor([0.3]), half=8)[0, 0]
    assert kernel.sum().item() == pytest.approx(1, abs=1e-5)
    assert 1 / kernel.max().item() == pytest.approx(torch.pi * 36, rel=0.03)


def test_a_polygon_has_corners_and_a_disc_has_none() -> None:
    radii, turn = torch.tensor([[7.0]]), torch.tensor([0.0])
    disc, pentagon = (aperture(radii, torch.tensor([n]), turn, half=8)[0, 0] for n in (0.0, 5.0))
    torch.testing.assert_close(disc, disc.T)
    torch.testing.assert_close(disc, disc.flip(1))
    assert (pentagon - pentagon.flip(1)).abs().max() > 0.5 * pentagon.max()


@pytest.mark.parametrize("blades", [0, 5, 6, 7, 8])
@pytest.mark.parametrize("radius", [0.0, 1.0, 5.5, 8.0])
def test_no_corner_of_an_opening_is_cut_off(radius: float, blades: int) -> None:
    turns = torch.linspace(0, 2 * math.pi, 40)
    radii, sides = torch.full((40, 1), radius), torch.full((40,), float(blades))
    whole = aperture(radii, sides, turns, half=16)
    half = reach(radius)
    torch.testing.assert_close(
        aperture(radii, sides, turns, half=half), whole[..., 16 - half : 17 + half, 16 - half : 17 + half]
    )


def test_a_radius_of_zero_leaves_the_pixel_alone() -> None:
    kernel = aperture(torch.tensor([[0.0]]), torch.tensor([0.0]), torch.tensor([0.0]), half=2)[0, 0]
    assert kernel[2, 2] == 1


def test_the_levels_weights_interpolate() -> None:
    level = torch.linspace(0, 1, 50)[None, None, None]
    weights = torch.stack(_hats(level))
    torch.testing.assert_close(weights.sum(dim=0), torch.ones_like(level))
    torch.testing.assert_close((weights * torch.tensor(_LEVELS)[:, None, None, None, None]).sum(dim=0), level)


def test_defocus_varies_over_the_picture() -> None:
    clean = torch.rand(4, 3, 64, 64, generator=generator())
    degraded, _ = Defocus(clean_share=0, sigma=(0, 0), radius_px=(6, 6))(clean, generator())
    error = F.avg_pool2d((degraded - clean).square().mean(dim=1), 16).flatten(1)
    assert (error.amax(dim=1) / error.amin(dim=1).clamp_min(1e-9)).median() > 2
