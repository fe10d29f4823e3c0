from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from imaging import staged
from imaging.stages import continued
from imaging.stages import layout as lay_out
from models import build, registry
from models.contamination import Conv, Down, Up
from models.grl.model import GRL
from models.grl.model import Config as GRLConfig
from models.iitransformer.model import Config as IIConfig
from models.iitransformer.model import IITransformer
from models.ipt_v2.model import IPTV2
from models.ipt_v2.model import Config as IPTConfig
from models.kit.model import Config as KiTConfig
from models.kit.model import KiT
from models.segments import Segment, SegmentedNetwork, contamination, declared, stages
from models.semanir.model import Config as SemanIRConfig
from models.semanir.model import SemanIR

GRL_SHAPE = {"embed_dim": 36, "depths": (2,), "num_heads_window": (1,), "num_heads_stripe": (1,), "window_size": 8}
GRL_SHAPE |= {"stripe_size": (8, 16), "trained_size": 16, "anchor_factor": 2}

NETWORKS = {  # what makes the network, and a tile
    "ipt_v2": (
        lambda: IPTV2(IPTConfig(embed_dim=4, depths=(2, 2), num_heads=(1, 2), grid=4, window=8, cell=16)),
        48,
    ),
    "ipt_v2 with faded cells": (
        lambda: IPTV2(IPTConfig(embed_dim=4, depths=(2, 2), num_heads=(1, 2), grid=4, window=8, cell=16, faded=True)),
        48,
    ),
    "grl": (lambda: GRL(GRLConfig(**GRL_SHAPE, scale=2, tail="pixelshuffledirect", picture_skip=True)), 48),
    "grl with channel attention": (lambda: GRL(GRLConfig(**GRL_SHAPE, local_connection=True)), 64),
    "iitransformer": (
        lambda: IITransformer(
            IIConfig(
                embed_dim=8,
                num_heads=(2, 2),
                kinds=(("intra", "intra"), ("inter", "inter")),
                shifts=((0, 2), (0, 2)),
                window_size=4,
                trained_size=(12, 12),
            )
        ),
        32,
    ),
    "semanir": (
        lambda: SemanIR(
            SemanIRConfig(
                dim=8,
                num_heads=(2,),
                down=((1, 1),),
                window_size=8,
                top_k=4,
                train_top_k=(),
                bias_hidden=8,
                unshuffle=2,
                tail="pixelshuffledirect",
                in_channels=1,
            )
        ),
        64,
    ),
    "kit": (
        lambda: KiT(KiTConfig(dim=8, depths=(1, 1), head_dim=8, patch=2, neighbours=2, rounds=2, buckets=4, cell=16)),
        48,
    ),
}


def made(name: str) -> SegmentedNetwork:
    """An untrained network, float64, in which every layer shows."""
    torch.manual_seed(3)
    network = NETWORKS[name][0]().double().eval()
    for parameter in network.parameters():
        if not parameter.abs().max():
            nn.init.normal_(parameter, std=0.3)
    return network


def runs(network: SegmentedNetwork) -> dict[str, staged.Run]:
    def run(segment: Segment) -> staged.Run:
        def compute(*maps):
            with torch.inference_mode():
                return segment.compute(*map(torch.from_numpy, maps)).numpy()

        return compute

    return {segment.name: run(segment) for segment in network.segments()}


def untiled(network: SegmentedNetwork, picture: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()))[0].permute(1, 2, 0).numpy()


def picture(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(5).random((height, width, channels))


@pytest.mark.parametrize("name", NETWORKS)
def test_tiles_through_the_segments_give_the_untiled_picture(name: str) -> None:
    network, tile = made(name), NETWORKS[name][1]
    image = picture(tile + tile // 2 + 5, 2 * tile + 3, network.in_channels)
    layout = lay_out(*image.shape[:2], stages(network), tile=tile, lattice=network.lattice)
    assert any(len(plan) > 1 for plan in layout.plans)
    expected = untiled(network, image)
    restored = staged.restore(image, runs(network), layout, batch=4)
    assert restored.shape == expected.shape
    assert np.abs(restored - expected).max() <= 1e-10
    assert (
        np.abs(expected.mean(2)[:: network.scale, :: network.scale] - image.mean(2)).max() > 1e-3
    )  # it does something


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(1, 1), (7, 90), (16, 17)])
def test_small_pictures_are_continued_alike_by_the_network_and_by_its_segments(
    name: str, size: tuple[int, int]
) -> None:
    network, tile = made(name), NETWORKS[name][1]
    image = picture(*size, network.in_channels)
    layout = lay_out(*size, stages(network), tile=tile, lattice=network.lattice)
    assert continued(1, stages(network), network.lattice) == network.least
    assert np.abs(staged.restore(image, runs(network), layout) - untiled(network, image)).max() <= 1e-10


def test_a_segment_in_cells_that_changes_what_it_reads_before_they_are_cut_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = made("ipt_v2 with faded cells")
    segments = [
        replace(segment, reads=dict.fromkeys(segment.reads, (Conv(1),))) if segment.cell else segment
        for segment in network.segments()
    ]
    monkeypatch.setattr(network, "segments", lambda: segments)
    with pytest.raises(ValueError, match="has to read one map as it is"):
        stages(network)


@pytest.mark.parametrize(("architecture", "config"), sorted({(card.network, card.config) for card in registry.cards()}))
def test_a_shipped_network_and_its_segments_agree_on_the_least_side(architecture: str, config: str) -> None:
    network = build.create(architecture, config)
    assert continued(1, stages(network), network.lattice) == network.least


def change(network: SegmentedNetwork, start: int, stop: int, side: int, dim: int) -> torch.Tensor:
    """Along `dim`, how far the answer for a part of a picture is from that part of the answer: (scale * length,)."""
    shape = [1, network.in_channels, 2 * network.lattice, 2 * network.lattice]
    shape[dim] = side
    whole = torch.rand(shape, dtype=torch.float64)
    with torch.inference_mode():
        expected, found = network.restore(whole), network.restore(whole.narrow(dim, start, stop - start))
    kept = expected.narrow(dim, start * network.scale, (stop - start) * network.scale)
    return (kept - found).abs().amax([0, 1, 5 - dim])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_predicted_contamination_of_a_network_is_the_measured_one(name: str) -> None:
    network = made(name)
    lattice, predicted = contamination(network)
    assert network.lattice % lattice == 0
    cut = -(-64 // network.lattice) * network.lattice
    side = cut + -(-(predicted // network.scale + 16) // network.lattice) * network.lattice
    errors = [change(network, cut, side, side, dim) for dim in (2, 3)]
    errors += [change(network, 0, side - cut, side, dim).flip(0) for dim in (2, 3)]
    measured = max(int(torch.nonzero(error > 3e-14).max()) + 1 for error in errors)
    # Far from the cut, a change may fade below what float64 holds; so the last lattice cell need not be reached.
    assert predicted - network.scale * network.lattice < measured <= predicted


@pytest.mark.parametrize("name", NETWORKS)
def test_a_tile_origin_off_the_lattice_fails(name: str) -> None:
    network = made(name)
    lattice, c = contamination(network)
    side = -(-2 * (c // network.scale + 16) // network.lattice) * network.lattice
    off = lattice // 2
    error = change(network, off, off + side, side + network.lattice, 2)
    assert error[c:-c].min() > 1e-9


def test_a_picture_smaller_than_the_tile_keeps_its_own_borders() -> None:
    network = made("ipt_v2")
    for height, width in ((40, 33), (17, 90)):
        image = picture(height, width, 3)
        layout = lay_out(height, width, stages(network), tile=64, lattice=network.lattice)
        assert np.abs(staged.restore(image, runs(network), layout) - untiled(network, image)).max() <= 1e-10


def test_maps_that_meet_at_different_sizes_are_a_mistake() -> None:
    class Odd(SegmentedNetwork):
        in_channels = out_channels = lattice = 1

        def segments(self):
            return [
                Segment("half", {"picture": (Down(2),)}, lambda x: x),
                Segment("sum", {"half": (), "picture": ()}, max),
            ]

    with pytest.raises(ValueError, match="meet at different sizes"):
        stages(Odd())


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(1, 1, (1, 7), padding=(0, 3)),
        nn.Conv2d(1, 1, 3, padding=2, dilation=2),
        nn.Conv2d(1, 1, 3, padding="same"),
        nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1),
        nn.MaxPool2d(2),
    ],
    ids=repr,
)
def test_how_far_a_layer_reaches_is_not_guessed(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"not known|block of its own|does not declare"):
        declared(layer)


def test_a_convolution_tells_how_far_it_reaches() -> None:
    assert declared(nn.Sequential(nn.Conv2d(1, 1, 5, padding=2), nn.GELU())) == (Conv(2),)
    assert declared(nn.Conv2d(1, 1, 3, stride=2, padding=1)) == (Conv(1), Down(2))
    assert declared(nn.ConvTranspose2d(1, 1, 2, stride=2)) == (Up(2),)


def test_lattice_and_halo_are_in_picture_pixels() -> None:
    class Chain(SegmentedNetwork):
        in_channels = out_channels = lattice = 1

        def segments(self):
            return [
                Segment("quarter", {"picture": (Conv(3), Down(4))}, lambda x: x),
                Segment("same", {"quarter": (Conv(2),)}, lambda x: x),
            ]

    first, second = stages(Chain())
    assert (first.lattice, first.halo, Fraction(first.down, first.up)) == (4, 4, 4)
    assert (second.lattice, second.halo, second.measure(64)) == (4, 8, 16)
