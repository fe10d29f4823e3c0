from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from training.degradations.ranges import DegradationError
from training.degradations.resize import Downscale, imresize, resize_matrix


def slow_imresize(picture: np.ndarray, scale: float) -> np.ndarray:
    """MATLAB's imresize by its documentation, pixel by pixel, in float64."""

    def kernel(x: float) -> float:
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0

    def mirror(i: int, n: int) -> int:
        while not 0 <= i < n:
            i = -1 - i if i < 0 else 2 * n - 1 - i
        return i

    stretch = min(scale, 1.0)
    for axis in (0, 1):
        picture = np.moveaxis(picture, axis, 0)
        n = picture.shape[0]
        rows = []
        for i in range(math.ceil(n * scale)):
            centre = (i + 0.5) / scale - 0.5
            taps = range(math.floor(centre - 2 / stretch) - 1, math.ceil(centre + 2 / stretch) + 2)
            weights = [kernel((centre - j) * stretch) for j in taps]
            rows.append(sum(w * picture[mirror(j, n)] for w, j in zip(weights, taps, strict=True)) / sum(weights))
        picture = np.moveaxis(np.stack(rows), 0, axis)
    return picture


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 2, 3, 4])
def test_the_result_is_the_slow_reference(scale: float) -> None:
    picture = np.random.default_rng(0).random((24, 36))
    ours = imresize(torch.from_numpy(picture), scale)
    np.testing.assert_allclose(ours.numpy(), slow_imresize(picture, scale), atol=1e-12)


def test_the_weights_of_halving_are_the_known_ones() -> None:
    # The widened kernel at 0.25, 0.75, 1.25 and 1.75, halved; exact in binary.
    row = resize_matrix(32, 0.5)[8]
    known = torch.tensor([-0.01171875, -0.03515625, 0.11328125, 0.43359375], dtype=torch.float64)
    torch.testing.assert_close(row[13:17], known, atol=1e-15, rtol=0)
    torch.testing.assert_close(row[17:21], known.flip(0), atol=1e-15, rtol=0)
    assert row[:13].abs().max() == 0
    assert row[21:].abs().max() == 0


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 2, 2.5])
def test_weights_sum_to_one_and_so_keep_a_flat_picture(scale: float) -> None:
    torch.testing.assert_close(
        resize_matrix(30, scale).sum(dim=1), torch.ones(math.ceil(30 * scale), dtype=torch.float64)
    )


def test_a_ramp_stays_a_ramp_away_from_the_borders() -> None:
    small = imresize(torch.arange(64.0).expand(64, 64), 0.5)
    torch.testing.assert_close(small[16, 4:-4], 2 * torch.arange(4.0, 28.0) + 0.5)


def test_borders_are_mirrored_with_the_edge_pixel_repeated() -> None:
    picture = torch.rand(16, 16, dtype=torch.float64)
    mirrored = torch.cat((picture.flip(0), picture, picture.flip(0)))
    torch.testing.assert_close(imresize(mirrored, 0.5)[8:16], imresize(picture, 0.5))


def test_a_downscaled_pair_has_the_small_picture_in_8_bit_steps() -> None:
    clean = torch.rand(2, 3, 24, 36)
    small, target = Downscale(scale=3)(clean, torch.Generator())
    assert small.shape == (2, 3, 8, 12)
    assert target is clean
    torch.testing.assert_close(small * 255, (small * 255).round(), atol=1e-3, rtol=0)


def test_a_side_that_the_scale_does_not_divide_is_refused() -> None:
    with pytest.raises(DegradationError, match="scale 4 does not divide the picture of 30x24"):
        Downscale(scale=4)(torch.rand(1, 3, 24, 30), torch.Generator())
