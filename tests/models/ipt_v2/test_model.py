from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from models.ipt_v2.feed_forward import RepLeFFN
from models.ipt_v2.model import CONFIGS, IPTV2, Config
from models.layers.rep_conv import RepDepthwise, RepPointwise

SMALLEST = Config(embed_dim=4, depths=(2, 2), num_heads=(1, 2), grid=4, window=8, cell=16)


def untrained(config: Config) -> IPTV2:
    """A network whose head is not zero, so that every layer shows in the answer."""
    torch.manual_seed(0)
    network = IPTV2(config).double().eval()
    nn.init.normal_(network.head.weight, std=0.1)
    return network


def folded_parameters(network: IPTV2) -> int:
    """Parameters once folded; the paper's count leaves the relative-position tables out."""
    count = 0
    for module in network.modules():
        if isinstance(module, RepPointwise | RepDepthwise):
            count += module.weight().numel()
        elif not isinstance(module, nn.ParameterList):
            own = dict(module.named_parameters(recurse=False))
            count += sum(parameter.numel() for name, parameter in own.items() if name != "position_bias")
    return count


@pytest.mark.parametrize(("name", "millions"), [("small", 11.75), ("base", 26.49), ("base_plus", 33.04)])
def test_a_published_configuration_has_the_papers_parameters(name: str, millions: float) -> None:
    with torch.device("meta"):
        network = IPTV2(CONFIGS[name])
    assert folded_parameters(network) / 1e6 == pytest.approx(millions, rel=1e-3)


def test_tiny_stays_under_a_million_parameters() -> None:
    with torch.device("meta"):
        network = IPTV2(CONFIGS["tiny"])
    assert 0.5e6 < folded_parameters(network) < 1e6


def test_an_untrained_network_answers_with_the_picture() -> None:
    picture = torch.rand(1, 3, 32, 48)
    assert torch.equal(IPTV2(SMALLEST).eval()(picture), picture)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 33), (16, 16), (40, 17)])
def test_a_picture_of_any_size_comes_back_with_its_size(height: int, width: int) -> None:
    picture = torch.rand(2, 3, height, width, dtype=torch.float64)
    assert untrained(SMALLEST)(picture).shape == picture.shape


def test_a_pixel_does_not_change_when_the_picture_grows_far_away() -> None:
    network = untrained(SMALLEST)
    large = torch.rand(1, 3, 256, 256, dtype=torch.float64)
    with torch.inference_mode():
        change = (network(large)[..., :192, :192] - network(large[..., :192, :192])).abs()
    assert change[..., :96, :96].max() <= 1e-12
    assert change[..., -8:, -8:].max() > 1e-6  # near the cut it does change: the test can fail


def test_the_frozen_cell_equals_the_papers_stretched_grid_at_training_size() -> None:
    frozen, stretched = untrained(SMALLEST), untrained(replace(SMALLEST, cell=0))
    picture = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    assert torch.equal(frozen(picture), stretched(picture))


def test_faded_cells_equal_one_cell_at_training_size() -> None:
    faded = untrained(replace(SMALLEST, faded=True))
    picture = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    assert torch.equal(faded.restore(picture), untrained(SMALLEST).restore(picture))


def test_half_precision_stays_near_double() -> None:
    network = untrained(SMALLEST)
    picture = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    expected = network(picture)
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float16, 0.02), (torch.bfloat16, 0.3)):
        assert (network.to(dtype)(picture.to(dtype)).double() - expected).abs().max() < tolerance


def test_every_weight_gets_a_gradient() -> None:
    network = untrained(SMALLEST).train()
    network(torch.rand(1, 3, 32, 32, dtype=torch.float64)).square().sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_the_feed_forward_equals_its_branches() -> None:
    torch.manual_seed(0)
    ffn = RepLeFFN(8).double()
    x = torch.rand(1, 6, 5, 8, dtype=torch.float64)
    hidden = nn.functional.gelu(ffn.expand.branches(x))
    expected = ffn.reduce.branches(ffn.depthwise.branches(hidden))
    assert torch.allclose(ffn(x), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": (1,)}, "2 levels of layers but 1 of heads"),
        ({"window": 2}, "a window of 2 pixels has no half"),
        ({"cell": 12}, "a cell of 12 pixels does not hold a grid of 4"),
        ({"cell": 24, "window": 16}, "a cell of 24 pixels does not hold whole windows of 16"),
        ({"cell": 0, "faded": True}, "a cell of 0 pixels has no half"),
    ],
)
def test_geometry_that_does_not_fit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALLEST, **changes)  # type: ignore[arg-type]


def test_a_stretched_grid_takes_every_multiple_of_its_lattice() -> None:
    network = IPTV2(replace(SMALLEST, cell=0, grid=6, window=8))
    assert network.lattice == 24
    assert network(torch.rand(1, 3, 10, 10)).shape == (1, 3, 10, 10)
