"""Parameters and multiply-accumulates (MACs) of a network, by the papers' rule.

Convolutions and matrix products, attention's included, plus one per element of elementwise products of two tensors
(gates, LayerNorm's weight). What depends on the weights alone, such as folding branches or a position bias, happens
once and not for every picture: it is not counted. Networks are counted on the meta device, so nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary
from tqdm import tqdm

from models.build import NETWORKS, configs, create
from models.layers.rep_conv import RepDepthwise, RepPointwise
from models.network import RestorationNetwork

aten = torch.ops.aten


@dataclass(frozen=True)
class Count:
    """What a network costs.

    Attributes:
        params: parameters, branches folded.
        macs: multiply-accumulates for one picture.
        input: (channels, height, width) of that picture.
    """

    params: int
    macs: int
    input: tuple[int, int, int]


@dataclass(frozen=True)
class Convention:
    """How a paper counts: the side of its input, the parameters it leaves out, and the form of its operator."""

    side: int = 128
    without: str = ""
    form: Callable[[Any], Any] = lambda config: config


CONVENTIONS = {
    # Position tables not counted; GGSA's grid stretched over the whole picture.
    "ipt_v2": Convention(without="position_bias", form=lambda config: replace(config, cell=0, faded=False)),
    "kit": Convention(side=256),
    "semanir": Convention(side=256),
}


def count_all() -> dict[str, Count]:
    """Count every named configuration of every network, each by its paper's convention: {"network/config": Count}.

    Takes most of a minute; a bar shows the progress on a terminal.
    """
    counts = {}
    named = [(name, config_name, config) for name in NETWORKS for config_name, config in configs(name).items()]
    for name, config_name, config in tqdm(named, desc="counting", leave=False, disable=None):
        convention = CONVENTIONS.get(name, Convention())
        with torch.device("meta"):
            network = create(name, convention.form(config))
        counts[f"{name}/{config_name}"] = count(network, convention.side, without=convention.without)
    return counts


def count(network: RestorationNetwork, side: int, *, without: str = "") -> Count:
    """Count a network on a square picture of `side` pixels, enlarged to a multiple of its lattice.

    Args:
        network: on any device; it is counted where it is, so the meta device costs nothing.
        side: side of the picture in pixels.
        without: parameters whose name ends so are left out.
    """
    side += -side % network.lattice
    x = torch.empty(1, network.in_channels, side, side, device=next(network.parameters()).device)
    training = network.training
    with torch.no_grad(), MacCounter(x) as counter:
        network.eval().restore(x)
    network.train(training)
    return Count(_params(network, without), counter.macs, (network.in_channels, side, side))


class MacCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up in `macs` what is multiplied while it is active, as far as it depends on one tensor.

    Args:
        source: operations on tensors that do not come from this one are not counted.
    """

    def __init__(self, source: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0
        self._derived = WeakIdKeyDictionary()
        self._derived[source] = True

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and count it."""
        out = func(*args, **(kwargs or {}))
        if any(isinstance(arg, Tensor) and arg in self._derived for arg in tree_leaves((args, kwargs))):
            for leaf in tree_leaves(out):
                if isinstance(leaf, Tensor):
                    self._derived[leaf] = True
            self.macs += _macs(func.overloadpacket, args, out)
        return out


def _macs(operation: Any, args: tuple[Any, ...], out: Any) -> int:
    """MACs of one ATen operation."""
    if operation in (aten.mm, aten.bmm):
        return int(out.numel() * args[0].shape[-1])
    if operation in (aten.addmm, aten.baddbmm):
        return int(out.numel() * args[1].shape[-1])
    if operation is aten.convolution:
        weight, transposed = args[1], args[6]
        return int((args[0] if transposed else out).numel() * prod(weight.shape[1:]))
    if operation in ATTENTIONS:
        (q, k, v), result = args[:3], out[0]
        return int(prod(q.shape[:-1]) * k.shape[-2] * q.shape[-1] + result.numel() * v.shape[-2])
    if operation in (aten.mul, aten.mul_):
        return int(out.numel()) if all(isinstance(arg, Tensor) and arg.dim() for arg in args) else 0
    if operation is aten.native_layer_norm:
        return int(out[0].numel()) if args[2] is not None else 0
    return 0


ATTENTIONS = (
    aten._scaled_dot_product_flash_attention_for_cpu,
    aten._scaled_dot_product_flash_attention,
    aten._scaled_dot_product_efficient_attention,
    aten._scaled_dot_product_cudnn_attention,
    aten._scaled_dot_product_fused_attention_overrideable,
)


def _params(network: nn.Module, without: str) -> int:
    total = sum(
        parameter.numel() for name, parameter in network.named_parameters() if not (without and name.endswith(without))
    )
    for module in network.modules():
        if isinstance(module, RepPointwise | RepDepthwise):
            total += module.weight().numel() - sum(parameter.numel() for parameter in module.parameters())
    return total
