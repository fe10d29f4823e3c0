from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from export.fold import fold
from models.ipt_v2.model import CONFIGS, IPTV2
from models.layers.rep_conv import Depthwise, Pointwise, RepDepthwise, RepPointwise

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max())


@contextmanager
def branched(network: nn.Module) -> Iterator[None]:
    """Compute every branch by itself, as the paper trains."""
    layers = [module for module in network.modules() if isinstance(module, RepPointwise | RepDepthwise)]
    for layer in layers:
        layer.forward = layer.branches  # type: ignore[method-assign]
    yield
    for layer in layers:
        del layer.forward


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("make", [lambda: RepPointwise(6, 24), lambda: RepPointwise(24, 6), lambda: RepDepthwise(24)])
def test_each_kind_of_layer_folds_into_one_equal_convolution(make, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = make().to(dtype)
    folded = fold(nn.Sequential(layer))
    assert type(folded[0]) in (Pointwise, Depthwise)
    assert sum(1 for _ in folded.parameters()) == 1
    channels = layer.first.shape[1] if isinstance(layer, RepPointwise) else 24
    x = torch.randn(2, 9, 7, channels, dtype=dtype)
    with torch.no_grad():
        assert relative_error(folded(x), layer.branches(x)) <= TOLERANCE[dtype]


@pytest.mark.parametrize("name", ["small", "base", "base_plus", "tiny", "tiny_deep", "tiny_deeper"])
def test_every_published_configuration_answers_alike_once_folded(name: str) -> None:
    torch.manual_seed(0)
    # Every layer and channel of the published network; a small grid, window and cell, so that a small picture will do.
    network = IPTV2(replace(CONFIGS[name], grid=2, window=16, cell=32)).eval()
    with torch.no_grad():
        network.head.weight += 0.1  # it starts at zero, which would hide every difference
    for dtype, tolerance in TOLERANCE.items():
        network.to(dtype)
        x = torch.rand(1, 3, 32, 32, dtype=dtype)
        with torch.inference_mode():
            with branched(network):
                expected = network.restore(x) - x
            folded = fold(network)
            found = folded.restore(x) - x
        assert not any(isinstance(module, RepPointwise | RepDepthwise) for module in folded.modules())
        assert relative_error(found, expected) <= tolerance


def test_the_argument_is_left_alone() -> None:
    layer = nn.Sequential(RepPointwise(4, 8))
    before = copy.deepcopy(layer.state_dict())
    folded = fold(layer)
    assert isinstance(layer[0], RepPointwise)
    torch.testing.assert_close(layer.state_dict(), before, rtol=0, atol=0)
    with torch.no_grad():
        folded[0].weight.zero_()
    torch.testing.assert_close(layer.state_dict(), before, rtol=0, atol=0)
