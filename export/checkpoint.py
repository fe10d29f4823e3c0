"""A user's weights: safetensors with our keys, or a file that the authors of GRL or iiTransformer published."""

from __future__ import annotations

import pickle
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from models.layers.rep_conv import branched
from models.network import RestorationNetwork

# Where published files keep the weights, the averaged ones first, if they keep more than weights.
_PLACES = ("params_ema", "params", "state_dict", "model")


class CheckpointError(ValueError):
    """A checkpoint cannot be read, or is another network's; the message says which."""


def fill(network: RestorationNetwork, architecture: str, path: Path) -> None:
    """Load weights of any float precision into a network, renaming the authors' keys where they are not ours.

    Args:
        network: of the checkpoint's configuration.
        architecture: a key of `models.build.NETWORKS`.
        path: safetensors, or a file of `torch.save` that holds tensors only.

    Raises:
        CheckpointError: see there.
    """
    state = branched(network, read(path))
    if state.keys() != network.state_dict().keys() and find_spec(f"models.{architecture}.keys"):
        state = import_module(f"models.{architecture}.keys").weights(state)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:  # PyTorch lists every key, a line each
        first = str(error).splitlines()[1].strip()[:200]
        raise CheckpointError(f"{path.name} does not fit {type(network).__name__} of this --config: {first}") from error


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by their keys, floats as float32. Raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    stored = _loaded(path)
    for place in _PLACES:
        if isinstance(stored, dict) and isinstance(stored.get(place), dict):
            stored = stored[place]
            break
    if not isinstance(stored, dict) or not stored or not all(isinstance(one, Tensor) for one in stored.values()):
        raise CheckpointError(f"{path.name} holds no weights by their names")
    return {key: value.float() if value.is_floating_point() else value for key, value in stored.items()}


def _loaded(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors" or _looks_like_safetensors(path):
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name} holds more than tensors, so opening it could run code: save its weights as safetensors"
        ) from error
    except Exception as error:  # damaged pickles fail in every way there is
        raise CheckpointError(f"{path.name} is damaged or no checkpoint: {error!r:.200}") from error


def _looks_like_safetensors(path: Path) -> bool:
    """By the JSON that follows the eight bytes of its length: such files are renamed, too."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"
