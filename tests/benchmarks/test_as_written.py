from __future__ import annotations

import torch

from benchmarks.as_written import as_written
from models.layers.rep_conv import RepDepthwise, RepPointwise


def test_as_written_is_the_same_function_and_ends_when_it_is_left() -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(RepPointwise(4, 8), RepDepthwise(8))
    x = torch.rand(1, 6, 6, 4)
    forward = RepPointwise.forward
    with as_written():
        assert RepPointwise.forward is RepPointwise.branches
        written = layers(x)
    assert RepPointwise.forward is forward
    assert (layers(x) - written).abs().max() < 1e-5
