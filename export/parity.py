"""What the torch network answers to a photograph, to a generated picture and to noise: every runtime has to as well."""

from __future__ import annotations

import numpy as np
import torch

from export import pictures, probe
from export.figures import Expected, Tiles
from export.to_onnx import ExportError
from models.layers.near_ties import watched
from models.network import RestorationNetwork


def tiles(side: int, channels: int) -> Tiles:
    """Two tiles (2, channels, side, side): a photograph (a generated picture where there is none), and the probe's."""
    (photograph,) = pictures.photographs(1, side, channels) or [pictures.dead_leaves(side, channels)]
    return np.concatenate((photograph.transpose(2, 0, 1)[None], probe.tile(probe.picture(channels), side)))


def answers(network: RestorationNetwork, inputs: Tiles) -> Tiles:
    """What the torch network answers, one tile at a time to bound the memory."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        restored = [network.restore(torch.from_numpy(tile[None]).to(device)).float().cpu() for tile in inputs]
    return torch.cat(restored).numpy()


def expected(network: RestorationNetwork, inputs: Tiles, *, abreast: int = 1) -> Expected:
    """What every runtime has to answer: the torch network's answers, and where they are decided; see `Expected`.

    Raises ExportError if they are not finite.
    """
    with watched() as selections:
        answered = answers(network, inputs)
    if not np.isfinite(answered).all():
        raise ExportError("the network itself answers no numbers (NaN or infinity): are its weights whole?")
    if not selections.count:
        return Expected(answered, abreast=abreast)
    with watched(selections):
        otherwise = answers(network, inputs)
    # To the bit: what no near-tie reaches was computed from the same numbers by the same operations.
    return Expected(answered, answered == otherwise, abreast)
