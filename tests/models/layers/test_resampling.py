from __future__ import annotations

import pytest
import torch

from models.layers.resampling import Conv2d, tail


def test_the_channels_last_convolution_is_the_usual_one() -> None:
    conv = Conv2d(3, 5, 3, padding=1)
    x = torch.randn(2, 6, 7, 3)
    expected = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), conv.weight, conv.bias, padding=1)
    assert torch.allclose(conv(x).permute(0, 3, 1, 2), expected, atol=1e-6)
    assert conv(x).is_contiguous()


@pytest.mark.parametrize(
    ("kind", "scale"),
    [
        ("conv", 1),
        ("pixelshuffle", 2),
        ("pixelshuffle", 3),
        ("pixelshuffle", 4),
        ("pixelshuffledirect", 3),
        ("nearest+conv", 4),
    ],
)
def test_every_tail_reaches_its_scale(kind: str, scale: int) -> None:
    x = torch.randn(1, 4, 5, 8)
    assert tail(kind, 8, 3, scale, features=8)(x).shape == (1, 4 * scale, 5 * scale, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "scale"), [("conv", 2), ("nearest+conv", 2), ("pixelshuffle", 5), ("pixelshuffle", 1)]
)
def test_a_scale_that_a_tail_cannot_reach_is_refused(kind: str, scale: int) -> None:
    with pytest.raises(ValueError, match=f"{scale}"):
        tail(kind, 8, 3, scale)  # type: ignore[arg-type]
