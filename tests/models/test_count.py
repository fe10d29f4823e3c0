from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models.build import create
from models.count import CONVENTIONS, MacCounter, count
from models.ipt_v2.model import CONFIGS

TABLE = {"small": (11.759e6, 14.61e9), "base": (26.494e6, 45.16e9), "base_plus": (33.039e6, 63.02e9)}


def macs(function: object, x: torch.Tensor) -> int:
    with torch.no_grad(), MacCounter(x) as counter:
        function(x)  # type: ignore[operator]
    return counter.macs


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_products_are_counted_one_by_one(device: str) -> None:
    with torch.device(device):
        x = torch.empty(2, 6, 8, 10)
        weight = torch.empty(10)
        assert macs(nn.Conv2d(6, 9, 3, padding=1, groups=3), x) == 2 * 9 * 8 * 10 * 2 * 9
        assert macs(nn.Linear(10, 7), x) == 2 * 6 * 8 * 7 * 10
        assert macs(lambda x: x @ x.transpose(-1, -2), x) == 2 * 6 * 8 * 8 * 10
        assert macs(lambda x: torch.einsum("bhnd,bhmd->bhnm", x, x), x) == 2 * 6 * 8 * 8 * 10
        assert macs(lambda x: F.scaled_dot_product_attention(x, x, x), x) == 2 * 2 * 6 * 8 * 8 * 10
        assert macs(lambda x: x * x, x) == x.numel()
        assert macs(lambda x: F.layer_norm(x, (10,), weight), x) == x.numel()
        assert macs(lambda x: F.layer_norm(x * 2, (10,)) + x, x) == 0


def test_what_depends_on_the_weights_alone_is_not_counted() -> None:
    first, second = torch.rand(5, 5), torch.rand(5, 5)
    assert macs(lambda x: F.linear(x, first @ second), torch.rand(3, 5)) == 3 * 5 * 5


@pytest.mark.parametrize("name", TABLE)
def test_the_papers_table_of_ipt_v2_is_reproduced(name: str) -> None:
    convention = CONVENTIONS["ipt_v2"]
    with torch.device("meta"):
        network = create("ipt_v2", convention.form(CONFIGS[name]))
    counted = count(network, convention.side, without=convention.without)
    params, expected = TABLE[name]
    assert counted.params == pytest.approx(params, rel=1e-3)
    assert counted.macs == pytest.approx(expected, rel=5e-3)
    assert counted.input == (3, 128, 128)


def test_the_picture_is_enlarged_to_the_lattice() -> None:
    with torch.device("meta"):
        network = create("grl", "tiny_laptop_x2")
    assert count(network, 100).input == (3, 128, 128)
    assert count(network, 100).macs == count(network, 128).macs
