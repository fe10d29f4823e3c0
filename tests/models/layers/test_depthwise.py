from __future__ import annotations

import pytest
import torch

from models.layers.depthwise import depthwise_conv


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_the_fast_gradients_are_pytorchs_own(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 9, 7, 6, dtype=torch.float64, generator=generator, requires_grad=True)
    weight = torch.randn(6, 1, size, size, dtype=torch.float64, generator=generator, requires_grad=True)
    ours = depthwise_conv(x, weight)
    theirs = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), weight, padding=size // 2, groups=6).permute(0, 2, 3, 1)
    assert torch.equal(ours, theirs)
    direction = torch.randn(ours.shape, dtype=torch.float64, generator=generator)
    for mine, expected in zip(
        torch.autograd.grad(ours, (x, weight), direction),
        torch.autograd.grad(theirs, (x, weight), direction),
        strict=True,
    ):
        assert (mine - expected).abs().max() <= 1e-12


def test_under_autocast_a_half_precision_map_takes_a_float32_kernel() -> None:
    x = torch.rand(1, 4, 4, 2, dtype=torch.bfloat16, requires_grad=True)
    weight = torch.rand(2, 1, 5, 5, requires_grad=True)
    depthwise_conv(x, weight).float().sum().backward()
    assert weight.grad is not None
    assert weight.grad.dtype is torch.float32
