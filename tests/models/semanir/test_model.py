from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from export.swap import swap
from models.count import count
from models.layers.attention import Projection
from models.semanir.attention import KeySemanticAttention
from models.semanir.model import CONFIGS, Config, SemanIR

SMALL = Config(
    dim=16,
    num_heads=(2, 2),
    down=((1,), (1, 1)),
    up=((1,),),
    window_size=4,
    top_k=6,
    train_top_k=(3, 6),
    bias_hidden=16,
    unshuffle=2,
    tail="pixelshuffledirect",
)


def small(**changes: object) -> SemanIR:
    torch.manual_seed(0)
    network = SemanIR(replace(SMALL, **changes)).eval()
    for parameter in network.parameters():
        if not parameter.any():  # it begins as the identity, which would make every test pass
            nn.init.normal_(parameter, std=0.2)
    return network


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("small_sr_x2", 11.8700),
        ("small_sr_x3", 12.0546),
        ("small_sr_x4", 12.0177),
        ("base_sr_x2", 19.8958),
        ("base_sr_x3", 20.0804),
        ("base_sr_x4", 20.0435),
    ],
)
def test_columnar_networks_have_the_papers_parameters(name: str, millions: float) -> None:
    with torch.device("meta"):
        network = SemanIR(CONFIGS[name])
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(millions * 1e6, abs=50)


def test_the_u_shape_is_near_the_papers_size() -> None:
    with torch.device("meta"):
        network = SemanIR(CONFIGS["u_shape"])
    macs = []

    def add(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        if isinstance(module, nn.ConvTranspose2d):  # stride 2 and 2 x 2 taps: one tap a pixel
            macs.append(output.numel() * module.in_channels)
        elif isinstance(module, nn.Conv2d):
            macs.append(output.numel() // module.out_channels * module.weight.numel())
        elif isinstance(module, KeySemanticAttention):  # queries, keys and values of every pixel
            macs.append(output.numel() * module.qkv.out_features)
        elif output.dim() == 4:
            macs.append(output.numel() * module.in_features)

    for module in network.modules():
        linear = isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module.weight.shape[1] != 2
        if (linear and not isinstance(module, Projection)) or isinstance(module, KeySemanticAttention):
            module.register_forward_hook(add)
    with torch.no_grad():
        network.eval().restore(torch.empty(1, 3, 256, 256, device="meta"))
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(25.82e6, rel=0.003)
    assert sum(macs) == pytest.approx(135.26e9, rel=0.006)


@pytest.mark.parametrize("name", ["tiny_denoise", "tiny_demosaic"])
def test_tiny_networks_are_cheap(name: str) -> None:
    with torch.device("meta"):
        counted = count(SemanIR(CONFIGS[name]), 256)
    assert counted.params < 0.9e6
    assert counted.macs / 256**2 < 100e3


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (17, 9)])
def test_a_picture_of_any_size_is_restored(size: tuple[int, int]) -> None:
    assert small()(torch.rand(2, 3, *size)).shape == (2, 3, *size)


def test_an_upscaled_picture_is_as_many_times_larger() -> None:
    network = SemanIR(Config(dim=8, num_heads=(2,), down=((1,),), window_size=4, top_k=6, train_top_k=(), scale=3,
                             tail="pixelshuffle", bias_hidden=8))  # fmt: skip
    assert network.eval()(torch.rand(1, 3, 5, 7)).shape == (1, 3, 15, 21)


def test_a_pixel_does_not_feel_the_picture_growing_far_away() -> None:
    network = small().double()
    picture = torch.rand(1, 3, 32, 128, dtype=torch.float64)
    cut = network(picture[..., :96])
    assert (network(picture)[..., :48] - cut[..., :48]).abs().max() <= 1e-10


def test_gather_answers_as_mask_on_whole_networks() -> None:
    network = small()
    picture = torch.rand(2, 3, 24, 40)
    with torch.no_grad():
        expected = network(picture)
        swapped = swap(network, "gather")
        assert (swapped(picture) - expected).abs().max() <= 1e-5
    assert network.body.up[0][0].layers[0].attention.implementation == "mask"


def test_an_unknown_implementation_is_refused() -> None:
    with pytest.raises(ValueError, match="mask, gather, triton"):
        swap(small(), "flash")


def test_a_batch_is_restored_picture_by_picture() -> None:
    network = small()
    pictures = torch.rand(3, 3, 20, 20)
    with torch.no_grad():
        alone = torch.cat([network(picture[None]) for picture in pictures])
        assert (network(pictures) - alone).abs().max() <= 1e-5


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.01), (torch.bfloat16, 0.08)])
def test_half_precision_is_near_float32(dtype: torch.dtype, tolerance: float) -> None:
    network = small(top_k=15)  # all others: no choice of keys for rounding to change
    picture = torch.rand(2, 3, 16, 24)
    with torch.no_grad():
        expected = network(picture)
        answer = network.to(dtype)(picture.to(dtype))
    assert answer.dtype is dtype
    assert (answer.float() - expected).abs().max() <= tolerance


def test_top_k_can_be_chosen_at_inference() -> None:
    network = small()
    picture = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        few = network(picture)
        network.top_k = 15
        assert not torch.equal(network(picture), few)
    with pytest.raises(ValueError, match="allows 1 to 15"):
        network.top_k = 16


def test_top_k_is_drawn_in_training_alone() -> None:
    network = small()
    assert {network._draw_top_k() for _ in range(20)} == {6}
    network.train()
    assert {network._draw_top_k() for _ in range(50)} == {3, 6}


def test_every_parameter_learns() -> None:
    network = small().train()
    network(torch.rand(1, 3, 16, 16)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(
    "changes", [{"num_heads": (2,)}, {"top_k": 16}, {"window_size": 5}, {"window_size": 2}, {"out_channels": 1}]
)
def test_a_configuration_that_makes_no_sense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"heads|top_k|window|channels"):
        replace(SMALL, **changes)


@pytest.mark.slow
def test_the_tiny_network_overfits_four_noisy_crops() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(0, 0.5, 32)
    waves = torch.stack([torch.sin(ramp * (6 + 4 * i))[:, None] * torch.cos(ramp * (9 - i)) for i in range(4)])
    clean = (0.5 + 0.4 * waves)[:, None].expand(-1, 3, -1, -1)
    noisy = clean + 0.1 * torch.randn(clean.shape)
    network = SemanIR(CONFIGS["tiny_denoise"])
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
    for _ in range(150):
        optimiser.zero_grad()
        loss = (network(noisy) - clean).abs().mean()
        loss.backward()
        optimiser.step()
    network.eval()
    with torch.no_grad():
        assert (network(noisy) - clean).square().mean() < (noisy - clean).square().mean() / 4
