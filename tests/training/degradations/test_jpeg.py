from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.degradations.jpeg import Jpeg, compress

DATA = Path(os.environ.get("UNSEAM_DATA", Path(__file__).parents[4] / "shared" / "data"))


def textured(height: int, width: int) -> np.ndarray:
    """A picture of smooth colour, edges and some grain, 8 bit."""
    down, right = np.mgrid[:height, :width] / 24
    planes = [
        np.sin(down + k) * np.cos(right * (k + 1)) + (np.hypot(down - 2, right - 2) < 1.2 + k / 4) for k in range(3)
    ]
    grain = np.random.default_rng(0).normal(0, 4, (height, width, 3))
    return (np.stack(planes, axis=2) * 60 + 100 + grain).clip(0, 255).astype(np.uint8)


def through_pillow(pixels: np.ndarray, quality: int, *, subsampled: bool) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:2:0" if subsampled else "4:4:4")
    return np.asarray(Image.open(file).convert("RGB"))


def through_ours(pixels: np.ndarray, quality: int, *, subsampled: bool) -> np.ndarray:
    picture = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None] / 255
    decoded = compress(picture, torch.tensor([float(quality)]), subsampled=torch.tensor([subsampled]))
    return (decoded[0] * 255).round().permute(1, 2, 0).numpy()


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2).clip(1e-9)))


@pytest.mark.parametrize("subsampled", [False, True])
@pytest.mark.parametrize("quality", [5, 10, 30, 50, 75, 95])
def test_the_result_is_pillows_to_50_db(quality: int, subsampled: bool) -> None:
    pixels = textured(96, 120)
    theirs = through_pillow(pixels, quality, subsampled=subsampled)
    ours = through_ours(pixels, quality, subsampled=subsampled)
    assert psnr_db(ours, theirs) > 50
    assert psnr_db(ours, theirs) > psnr_db(pixels, theirs) + 5


def test_sides_that_no_block_divides_are_as_pillow_has_them() -> None:
    pixels = textured(61, 83)
    for subsampled in (False, True):
        theirs = through_pillow(pixels, 20, subsampled=subsampled)
        assert psnr_db(through_ours(pixels, 20, subsampled=subsampled), theirs) > 42


def test_a_photograph_is_as_pillow_has_it() -> None:
    path = DATA / "val" / "Set14" / "pepper.png"
    if not path.exists():
        pytest.skip(f"no public pictures at {DATA}")
    pixels = np.asarray(Image.open(path).convert("RGB"))[:256, :256]
    for quality in (10, 40, 90):
        theirs = through_pillow(pixels, quality, subsampled=True)
        assert psnr_db(through_ours(pixels, quality, subsampled=True), theirs) > 45


def test_a_batch_is_its_pictures_one_by_one() -> None:
    pictures = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    quality, subsampled = torch.tensor([10.0, 50.0, 90.0]), torch.tensor([True, False, True])
    together = compress(pictures, quality, subsampled=subsampled)
    for i in range(3):
        alone = compress(pictures[i : i + 1], quality[i : i + 1], subsampled=subsampled[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1.01 / 255, rtol=0)


def test_grey_stays_grey() -> None:
    clean = torch.rand(2, 3, 40, 40)
    degraded, target = Jpeg(grey_share=1, clean_share=0)(clean, torch.Generator().manual_seed(0))
    for pictures in (degraded, target):
        torch.testing.assert_close(pictures[:, 0], pictures[:, 1], atol=1e-6, rtol=0)
        torch.testing.assert_close(pictures[:, 0], pictures[:, 2], atol=1e-6, rtol=0)


def test_a_shifted_grid_lies_elsewhere_and_the_picture_does_not_move() -> None:
    clean = torch.nn.functional.interpolate(torch.rand(8, 3, 6, 6), size=64, mode="bicubic").clamp(0, 1)
    options = {"quality": (10, 10), "grey_share": 0, "clean_share": 0}
    fixed, _ = Jpeg(shifted_share=0, **options)(clean, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    moved, _ = Jpeg(shifted_share=1, **options)(clean, torch.Generator().manual_seed(0))  # type: ignore[arg-type]
    steps = (fixed - fixed.roll(1, dims=-1)).abs().mean(dim=(0, 1, 2))
    assert steps[8:64:8].mean() > 1.3 * steps[4:64:8].mean()
    assert not torch.equal(fixed, moved)
    assert (moved - clean).square().mean() < 1.5 * (fixed - clean).square().mean()


def test_lower_quality_loses_more() -> None:
    picture = torch.from_numpy(textured(64, 64)).permute(2, 0, 1)[None] / 255
    losses = [
        (compress(picture, torch.tensor([q]), subsampled=torch.tensor([True])) - picture).square().mean()
        for q in (5.0, 20.0, 60.0, 95.0)
    ]
    assert losses == sorted(losses, reverse=True)


def test_every_quality_is_as_likely_as_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[torch.Tensor] = []

    def note(pictures: torch.Tensor, quality: torch.Tensor, *, subsampled: torch.Tensor) -> torch.Tensor:
        drawn.append(quality)
        return pictures

    monkeypatch.setattr("training.degradations.jpeg.compress", note)
    Jpeg(quality=(90, 94))(torch.zeros(4000, 3, 1, 1), torch.Generator().manual_seed(0))
    found, counts = drawn[0].unique(return_counts=True)
    assert found.tolist() == [90, 91, 92, 93, 94]
    assert (counts.float() - 800).abs().max() < 110  # four deviations
