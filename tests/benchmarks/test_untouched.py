from __future__ import annotations

import numpy as np
import torch

from benchmarks.untouched import untouched
from imaging.quality import psnr
from training.degradations import create


def test_a_picture_of_the_targets_size_is_itself() -> None:
    picture = np.random.default_rng(0).random((8, 8, 3), np.float32)
    assert untouched(picture, picture) == ("as it came", picture)


def test_a_smaller_one_is_enlarged_and_a_mosaic_filled() -> None:
    down, right = np.mgrid[:24, :36].astype(np.float32) / 36
    smooth = np.stack([down, right, (down + right) / 2], axis=2)
    cases = (("downscale", {"scale": 3}, "enlarged"), ("mosaic", {"noisy_share": 0.0}, "interpolated"))
    for kind, options, done in cases:
        small, _ = create(kind, **options)(torch.from_numpy(smooth).permute(2, 0, 1)[None], torch.Generator())
        words, answer = untouched(small[0].permute(1, 2, 0).numpy(), smooth)
        assert (words, answer.shape) == (done, smooth.shape)
        assert psnr(answer, smooth, border=3) > 45


def test_a_mosaics_own_values_stay_theirs() -> None:
    mosaic = np.random.default_rng(0).random((6, 4, 1), np.float32)
    _, answer = untouched(mosaic, np.zeros((6, 4, 3), np.float32))
    sites = np.array([[0, 1], [1, 2]])[np.arange(6)[:, None] % 2, np.arange(4) % 2]
    assert np.array_equal(np.take_along_axis(answer, sites[..., None], axis=2), mosaic)
