"""From a card, or from a network's name and configuration, to the network itself."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from models.layers.rep_conv import branched
from models.network import RestorationNetwork
from models.registry import Card

# By name: building one network imports no other.
NETWORKS = {
    "ipt_v2": "models.ipt_v2.model:IPTV2",
    "semanir": "models.semanir.model:SemanIR",
    "iitransformer": "models.iitransformer.model:IITransformer",
    "kit": "models.kit.model:KiT",
    "grl": "models.grl.model:GRL",
}


class BuildError(ValueError):
    """A network cannot be made; the text says what was asked and what is allowed."""


class WeightsError(RuntimeError):
    """Weights are missing, altered, or belong to another network."""


def configs(network: str) -> dict[str, Any]:
    """The named configurations of a network."""
    if network not in NETWORKS:
        raise BuildError(f"there is no network {network!r}; there are {', '.join(NETWORKS)}")
    named: dict[str, Any] = import_module(NETWORKS[network].partition(":")[0]).CONFIGS
    return named


def create(network: str, config: Any) -> RestorationNetwork:
    """Make an untrained network from one of its named configurations, or from a `Config` of one's own."""
    named = configs(network)
    if isinstance(config, str):
        if config not in named:
            raise BuildError(f"{network} has no configuration {config!r}; it has {', '.join(named)}")
        config = named[config]
    module, _, name = NETWORKS[network].partition(":")
    made: RestorationNetwork = getattr(import_module(module), name)(config)
    return made


def load(card: Card) -> RestorationNetwork:
    """Make the network of a card with its weights, float32, ready to restore. Raises WeightsError."""
    if not card.path.is_file():
        raise WeightsError(f"the weights of {card.name} are missing: {card.weights}")
    digest = hashlib.sha256(card.path.read_bytes()).hexdigest()
    if digest != card.sha256:
        raise WeightsError(f"{card.weights} is not the file its card names: sha256 {digest}, not {card.sha256}")
    network = create(card.network, card.config)
    load_weights(network, card.path)
    return network.eval()


def load_weights(network: RestorationNetwork, path: Path) -> None:
    """Fill a network from a safetensors file of any float precision.

    Raises WeightsError for any other kind of file, and where keys or shapes differ.
    """
    try:
        state = {
            key: value.to(torch.float32) if value.is_floating_point() else value
            for key, value in load_file(path).items()
        }
        network.load_state_dict(branched(network, state))
    except SafetensorError as error:
        raise WeightsError(f"{path.name} holds no weights as safetensors: {error}") from error
    except RuntimeError as error:  # PyTorch lists every key, a line each
        first = str(error).splitlines()[1].strip()[:200]
        raise WeightsError(f"{path.name} does not fit {type(network).__name__}: {first}") from error
