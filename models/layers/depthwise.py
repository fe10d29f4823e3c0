"""Depthwise convolution on (B, H, W, C) maps, with a backward pass that is fast on CPUs.

PyTorch's own backward of a 5x5 depthwise convolution is a slow path on CPUs in bfloat16 (78 ms where the forward takes
1.4), while 3x3 has a fast one. So the gradient of the input is the forward convolution with the turned kernel, and that
of a 5x5 kernel is put together from the 3x3 gradients of the input shifted to the corners of a 6x6 block of taps: 4 ms.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


def depthwise_conv(x: Tensor, weight: Tensor) -> Tensor:
    """Convolve each channel of (B, H, W, C) with its own odd, zero-padded K x K kernel of `weight` (C, 1, K, K)."""
    if x.device.type == "cpu" and torch.is_grad_enabled() and weight.requires_grad:
        return _CpuDepthwise.apply(x, weight)  # type: ignore[no-any-return, no-untyped-call]
    return _convolve(x, weight)


def _convolve(x: Tensor, weight: Tensor) -> Tensor:
    channels, _, size, _ = weight.shape
    return F.conv2d(x.permute(0, 3, 1, 2), weight, padding=size // 2, groups=channels).permute(0, 2, 3, 1)


class _CpuDepthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        weight = weight.to(x.dtype)  # under autocast the map may be in half precision, the kernel is not
        ctx.save_for_backward(x, weight)
        return _convolve(x, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        grad = grads[0].to(x.dtype)
        return _convolve(grad, weight.flip(-1, -2)), _kernel_gradient(x, grad, weight.shape[-1])


def _kernel_gradient(x: Tensor, grad: Tensor, size: int) -> Tensor:
    """Gradient (C, 1, K, K) of the kernels, from 3x3 blocks of taps."""
    height, width, channels = x.shape[1:]
    starts = range(0, size, 3)
    radius, excess = size // 2, 3 * len(starts) - size
    padded = F.pad(x, (0, 0, radius, radius + excess, radius, radius + excess))
    rows = [
        torch.cat([_gradient_3x3(padded[:, i : i + height + 2, j : j + width + 2], grad) for j in starts], dim=-1)
        for i in starts
    ]
    return torch.cat(rows, dim=-2)[:, :, :size, :size].reshape(channels, 1, size, size)


def _gradient_3x3(x: Tensor, grad: Tensor) -> Tensor:
    channels = x.shape[-1]
    kernel = x.new_empty(channels, 1, 3, 3)
    gradient: Tensor = torch.ops.aten.convolution_backward(
        grad.permute(0, 3, 1, 2),
        x.contiguous().permute(0, 3, 1, 2),
        kernel,
        None,
        [1, 1],
        [0, 0],
        [1, 1],
        False,
        [0, 0],
        channels,
        [False, True, False],
    )[1]
    return gradient
