"""Where a run begins: at the picture itself, or at the answers of a network that was trained before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.layers.rep_conv import branched
from training import checkpoint


class BeginningError(ValueError):
    """Weights that a network cannot grow from; the text says why."""


@dataclass(frozen=True)
class Beginning:
    """Weights that a new run starts from, and the name under which its own tell of them."""

    name: str
    weights: Mapping[str, Tensor]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a safetensors file, float16 as shipped or not.

        A shipped one tells its name; a run's best weights all lie in a file of the same name, so there it is the run's.
        Raises BeginningError for any other kind of file.
        """
        name = path.resolve().parent.name if path.name == checkpoint.BEST else path.stem
        try:
            return cls(name, {key: value.float() for key, value in load_file(path).items()})
        except SafetensorError as error:
            raise BeginningError(f"{path} holds no weights as safetensors: {error}") from error


def begin_quietly(network: nn.Module) -> None:
    """Zero the last convolution, so that a run begins at the network's picture skip and not at noise added to it.

    Otherwise the first thing learned is to drown that noise: the maps before the last norm grow by orders of
    magnitude, and no gradient passes the norm any more.
    """
    ends = (part for name, part in network.named_children() if name in ("tail", "head"))
    last = [module for end in ends for module in end.modules() if isinstance(module, nn.Conv2d)][-1]
    for parameter in last.parameters():
        nn.init.zeros_(parameter)


def begin_from(network: nn.Module, beginning: Beginning) -> None:
    """Take over the weights that have the network's names and shapes.

    So one scale may start from another, whose last convolution alone differs. Residual layers that the beginning has
    nothing of start by passing on what they get, so that a deeper network begins with the answers of the one it grew
    from.

    Raises:
        BeginningError: most of the weights fit nowhere: they are another network's.
    """
    own, init = network.state_dict(), branched(network, beginning.weights)
    fitting = {name: value for name, value in init.items() if name in own and own[name].shape == value.shape}
    if 2 * len(fitting) < len(init):
        raise BeginningError(
            f"{beginning.name} is no beginning for this network: {len(fitting)} of its {len(init)} weights fit; "
            "name weights of the same network, of this configuration or one like it"
        )
    network.load_state_dict(fitting, strict=False)
    for name, module in network.named_modules():
        begin_as_identity = getattr(module, "begin_as_identity", None)
        if begin_as_identity and not any(taken.startswith(f"{name}.") for taken in fitting):
            begin_as_identity()
