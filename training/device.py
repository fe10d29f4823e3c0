"""The device that a command computes on."""

from __future__ import annotations

import torch


class DeviceError(ValueError):
    """There is no device of this name here."""


def usable(name: str) -> torch.device:
    """The device `cpu`, `cuda` or `cuda:N`. Raises DeviceError where it cannot be computed on."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:  # the latter where PyTorch was built for other devices
        raise DeviceError(f"there is no device {name!r} here: {str(error).partition(chr(10))[0]:.200}") from error
    return device
