"""Which networks can do which task: what a picture of the task looks like before and after."""

from __future__ import annotations

from models import registry
from models.network import RestorationNetwork


class TaskError(ValueError):
    """A network cannot do its task; the message says what the task wants."""


def known() -> tuple[str, ...]:
    """The tasks of the shipped networks, in alphabetical order; anybody may add others."""
    return tuple(sorted({card.task for card in registry.cards()}))


def check(network: RestorationNetwork, task: str) -> None:
    """Raise TaskError unless the network takes and gives such pictures as the task is about.

    A task of one's own may enlarge or not; a mosaic is taken for demosaicking alone.
    """
    taken, given, scale = network.in_channels, network.out_channels, network.scale
    if task == "demosaic":
        if (taken, given, scale) != (1, 3, 1):
            raise TaskError(
                f"demosaic makes 3 channels of the 1 of a mosaic, at its size; "
                f"this network makes {given} of {taken}, at scale {scale}"
            )
    elif taken != given:
        raise TaskError(f"{task} keeps a picture's channels, and this network makes {given} of {taken}")
    elif task == "upscale" and scale == 1:
        raise TaskError("upscale enlarges, and this network has scale 1")
    elif task in known() and task != "upscale" and scale != 1:
        raise TaskError(f"{task} keeps a picture's size, and this network has scale {scale}: its task is upscale")
