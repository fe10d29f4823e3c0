from __future__ import annotations

import numpy as np
import pytest

from imaging.quality import gradient_jump, luma, psnr, seams, ssim

RANDOM = np.random.default_rng(3)


def test_psnr_of_a_known_error():
    a = np.full((8, 9, 3), 0.5)
    assert psnr(a, a + 0.1) == pytest.approx(20)
    assert psnr(a, a) == float("inf")
    assert psnr(a.astype(np.float32), (a + 1 / 255).astype(np.float32)) == pytest.approx(48.1308, abs=1e-3)


def test_psnr_leaves_the_border_out():
    a, b = np.zeros((10, 10)), np.zeros((10, 10))
    b[:2] = b[-2:] = b[:, :2] = b[:, -2:] = 1
    assert psnr(a, b) < 5
    assert psnr(a, b, border=2) == float("inf")
    with pytest.raises(ValueError, match="border of 5"):
        psnr(a, b, border=5)


def test_luma_has_the_range_of_rgb2ycbcr():
    colours = np.array([[[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]], dtype=np.float64)
    assert np.allclose(luma(colours) * 255, [[16, 235, 81.481, 144.553, 40.966]])
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        luma(np.zeros((4, 4)))


def ssim_by_definition(a, b):
    """Window by window, as the paper writes it."""
    offset = np.arange(11) - 5
    window = np.exp(-(offset[:, None] ** 2 + offset[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
            mean_p, mean_q = (window * p).sum(), (window * q).sum()
            var_p, var_q = (window * (p - mean_p) ** 2).sum(), (window * (q - mean_q) ** 2).sum()
            covariance = (window * (p - mean_p) * (q - mean_q)).sum()
            numerator = (2 * mean_p * mean_q + 1e-4) * (2 * covariance + 9e-4)
            values.append(numerator / ((mean_p**2 + mean_q**2 + 1e-4) * (var_p + var_q + 9e-4)))
    return np.mean(values)


def test_ssim_is_the_papers_definition():
    a = RANDOM.random((19, 23))
    b = np.clip(a + RANDOM.normal(0, 0.1, a.shape), 0, 1)
    assert ssim(a, b) == pytest.approx(ssim_by_definition(a, b), abs=1e-10)
    assert ssim(a, a) == pytest.approx(1)
    colour_a, colour_b = np.stack([a, b, a], axis=-1), np.stack([b, b, a], axis=-1)
    assert ssim(colour_a, colour_b) == pytest.approx((ssim(a, b) + 2) / 3)


def test_pictures_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="differ in shape"):
        psnr(np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(ValueError, match="at least 11 x 11 pixels, not 12 x 10"):
        ssim(np.zeros((10, 12)), np.zeros((10, 12)))


def test_a_step_at_a_cut_is_found_and_a_step_elsewhere_is_not_blamed_on_the_cut():
    smooth = np.tile(np.linspace(0.2, 0.8, 64), (64, 1))
    smooth = (smooth + smooth.T) / 2
    stepped = smooth.copy()
    stepped[32:] += 2 / 255
    found = seams(stepped, smooth, row_cuts=(32,))
    assert found.jump > 1.4
    assert found.max_lsb == pytest.approx(2)
    assert found.p999_lsb == pytest.approx(2)
    assert found.equal == pytest.approx(0.5)
    assert seams(stepped, smooth, row_cuts=(16,)).jump < 1
    assert gradient_jump(smooth, (32,), (10, 20)) == pytest.approx(1)


def test_equal_pictures_have_no_seams():
    a = RANDOM.random((20, 30, 3))
    found = seams(a, a, (10,), (7, 15))
    assert (found.max_lsb, found.p999_lsb, found.equal, found.psnr_db, found.jump) == (0, 0, 1, float("inf"), 1)
    assert gradient_jump(a) == gradient_jump(np.zeros((20, 30)), (3,)) == 1
