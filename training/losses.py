"""What training minimises, by a recipe's name."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

STEP = 1 / 255


def l1(restored: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error."""
    return (restored - target).abs().mean()


def log_l1(restored: Tensor, target: Tensor) -> Tensor:
    """Logarithm of every picture's mean absolute error, above one 8-bit step; below it the error itself.

    PSNR is a logarithm too: an easy picture's decibel counts as much as a hard one's, where the plain mean would spend
    nearly everything on the pictures that are hardest to restore.
    """
    error = (restored - target).abs().flatten(1).mean(1)
    return (1 + error / STEP).log().mean() * STEP


def log_mse(restored: Tensor, target: Tensor) -> Tensor:
    """Logarithm of every picture's mean squared error, above one 8-bit step squared: its PSNR, but for a factor."""
    error = (restored - target).square().flatten(1).mean(1)
    return (1 + error / STEP**2).log().mean() * STEP


def charbonnier(restored: Tensor, target: Tensor) -> Tensor:
    """Mean of sqrt(error^2 + eps^2), eps = 1e-3 (KiT, Eq. 11)."""
    return ((restored - target).square() + 1e-6).sqrt().mean()


def charbonnier_edge(restored: Tensor, target: Tensor) -> Tensor:
    """Charbonnier plus 0.05 times Charbonnier of the Laplacians (KiT, Eq. 11)."""
    return charbonnier(restored, target) + 0.05 * charbonnier(_laplacian(restored), _laplacian(target))


def colour_shift(restored: Tensor, degraded: Tensor) -> Tensor:
    """How far the mean of a picture's channel is from what it was, as the mean over channels and pictures.

    A picture that is sharpened in error is darkened too where it has texture, as real blur mixes light and not values.
    Where damage hardly changes means, to keep them costs next to nothing, and spares the pictures that need nothing.
    """
    return (restored.mean(dim=(2, 3)) - degraded.mean(dim=(2, 3))).abs().mean()


def _laplacian(x: Tensor) -> Tensor:
    kernel = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]], dtype=x.dtype, device=x.device)
    channels = x.shape[1]
    return F.conv2d(x, kernel.expand(channels, 1, 3, 3), groups=channels)


LOSSES = {
    "l1": l1,
    "log-l1": log_l1,
    "log-mse": log_mse,
    "charbonnier": charbonnier,
    "charbonnier-edge": charbonnier_edge,
}
