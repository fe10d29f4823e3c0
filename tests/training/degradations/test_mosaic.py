from __future__ import annotations

import pytest
import torch

from training.degradations.mosaic import PHASES, Mosaic, bayer_planes
from training.degradations.ranges import DegradationError


@pytest.mark.parametrize("pattern", list(PHASES))
def test_the_first_four_pixels_have_the_colours_of_the_name(pattern: str) -> None:
    planes = bayer_planes(4, 6, pattern)
    assert "".join("rgb"[int(planes[:, y, x].argmax())] for y in (0, 1) for x in (0, 1)) == pattern
    assert torch.equal(planes.sum(dim=0), torch.ones(4, 6))


@pytest.mark.parametrize("pattern", list(PHASES))
def test_each_pattern_is_rggb_begun_later(pattern: str) -> None:
    down, right = PHASES[pattern]
    assert torch.equal(bayer_planes(5, 7, pattern), bayer_planes(5 + down, 7 + right)[:, down:, right:])


def test_each_pixel_of_a_mosaic_is_one_channel_of_the_picture() -> None:
    clean = (torch.rand(2, 3, 6, 6) * 255).round() / 255
    mosaic, target = Mosaic(noisy_share=0)(clean, torch.Generator())
    assert mosaic.shape == (2, 1, 6, 6)
    assert target is clean
    torch.testing.assert_close(mosaic[:, 0, ::2, ::2], clean[:, 0, ::2, ::2])
    torch.testing.assert_close(mosaic[:, 0, ::2, 1::2], clean[:, 1, ::2, 1::2])
    torch.testing.assert_close(mosaic[:, 0, 1::2, 1::2], clean[:, 2, 1::2, 1::2])


def test_noise_has_its_deviation_in_8_bit_steps() -> None:
    clean = torch.full((4, 3, 64, 64), 0.5)
    mosaic, _ = Mosaic(sigma=(10, 10), noisy_share=1)(clean, torch.Generator().manual_seed(0))
    assert ((mosaic - 0.5) * 255).std().item() == pytest.approx(10, rel=0.03)


def test_an_unknown_pattern_is_refused_by_name() -> None:
    with pytest.raises(DegradationError, match="pattern must be one of rggb, grbg, gbrg, bggr, not 'xtrans'"):
        bayer_planes(4, 4, "xtrans")
