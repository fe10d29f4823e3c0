"""One blur kernel, or a stack of them, per picture: convolution by Fourier products."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from training.degradations.ranges import DegradationError


def convolve(pictures: Tensor, kernels: Tensor) -> Iterator[Tensor]:
    """Blur pictures (B, C, H, W) with their own kernels (B, N, K, K), K odd: one (B, C, H, W) for each of N in turn.

    Borders are reflected without repeating the edge pixel. Raises DegradationError where a picture is not larger than
    the kernel's radius.
    """
    height, width = pictures.shape[-2:]
    radius = kernels.shape[-1] // 2
    if min(height, width) <= radius:
        raise DegradationError(f"a kernel of radius {radius} needs pictures larger than {width}x{height}")
    size = (_fast_size(height + 2 * radius), _fast_size(width + 2 * radius))
    spectrum = torch.fft.rfft2(F.pad(pictures, (radius,) * 4, mode="reflect"), s=size)
    for kernel in torch.fft.rfft2(kernels, s=size).unsqueeze(2).unbind(dim=1):
        blurred: Tensor = torch.fft.irfft2(spectrum * kernel, s=size)
        # The product is circular; these are the pixels which nothing wrapped around reaches.
        yield blurred[..., 2 * radius : 2 * radius + height, 2 * radius : 2 * radius + width]


def _fast_size(length: int) -> int:
    """The smallest size >= `length` without a prime factor above 5."""
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 1
