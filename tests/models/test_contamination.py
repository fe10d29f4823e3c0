from __future__ import annotations

import pytest
import torch
from torch import nn

from models.contamination import EDGES, Conv, Down, Parallel, Pool, Up, Window, lattice, shrinkage, spread
from models.grl.attention import MixedAttention
from models.grl.channel_attention import ChannelAttentionBlock
from models.iitransformer.attention import InterAttention, IntraAttention
from models.ipt_v2.attention import FocalContextAttention, GlobalGridAttention
from models.kit.attention import KnnLocalAttention
from models.layers.windows import Windows
from models.segments import declared
from models.semanir.stage import Stage

CLEAN = (0,) * len(EDGES)


def grid(size: int, offset: int = 0) -> Windows:
    return Windows((size, size), (offset, offset))


def channels_last(module: nn.Module):
    return lambda x: module(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def own(module: nn.Module):
    """A layer and what it declares."""
    return module.double(), declared(module)


def plain(module: nn.Module):
    """The same for a layer of PyTorch's, which works channels first."""
    return channels_last(module.double()), declared(module)


def stripes() -> tuple:
    return own(MixedAttention(8, 2, 2, grid(8, 4), Windows((8, 16), (4, 8)), 2))


def channel_attention() -> tuple:
    block = ChannelAttentionBlock(36, 8).double()
    return block, (*declared(block.conv1), *declared(block.conv2), Parallel((), (block.pool,)))


def shared_dictionary() -> tuple:
    stage = Stage(8, 2, 2, grid(8, 4), 2.0, 8).double()
    return lambda x: stage.attend(x, 4), (stage.windows.layer,)


def unet() -> tuple:
    down, up = nn.Conv2d(4, 4, 4, 2, 1).double(), nn.ConvTranspose2d(4, 4, 2, 2).double()
    window = IntraAttention(4, 2, grid(8, 4)).double()

    def compute(x):
        return x + channels_last(up)(window(channels_last(down)(x)))

    return compute, (Parallel((), (*declared(down), *declared(window), *declared(up))),)


LAYERS = {  # what makes the layer, its channels, side of the map, place of the cut
    "convolution": (lambda: plain(nn.Conv2d(4, 4, 5, padding=2)), 4, 48, 16),
    "windows": (lambda: own(IntraAttention(4, 2, grid(8))), 4, 48, 16),
    "shifted windows": (lambda: own(IntraAttention(4, 2, grid(8, 2))), 4, 48, 16),
    "masked inter attention": (lambda: own(InterAttention(4, 2, grid(4), (3, 3))), 4, 64, 32),
    "shifted inter attention": (lambda: own(InterAttention(4, 2, grid(4, 2), (3, 3))), 4, 64, 32),
    "focal context": (lambda: own(FocalContextAttention(4, 2, 8)), 4, 64, 32),
    "grid in a cell": (lambda: own(GlobalGridAttention(4, 2, 4, 16)), 4, 64, 32),
    "grid in faded cells": (lambda: own(GlobalGridAttention(4, 2, 4, 16, faded=True)), 4, 64, 32),
    "grid in faded cells, cut in the middle of one": (
        lambda: own(GlobalGridAttention(4, 2, 4, 16, faded=True)),
        4,
        72,
        24,
    ),
    "sort in a cell": (
        lambda: own(KnnLocalAttention(4, 2, patch=2, neighbours=2, cell=16, rounds=2, buckets=4, seed=0)),
        4,
        64,
        32,
    ),
    "windows beside stripes": (stripes, 8, 64, 32),
    "channel attention": (channel_attention, 36, 96, 48),
    "dictionary and its layers": (shared_dictionary, 8, 48, 16),
    "stride": (lambda: plain(nn.Conv2d(4, 3, 4, 2, 1)), 4, 48, 16),
    "unshuffle": (lambda: (channels_last(nn.PixelUnshuffle(4)), (Down(4),)), 4, 48, 16),
    "transposed convolution": (lambda: plain(nn.ConvTranspose2d(4, 2, 2, 2)), 4, 48, 16),
    "levels joined by a skip": (unet, 4, 64, 32),
}


def measured(compute, channels: int, side: int, cut: int, edge) -> int:
    """Distance from a cut to the first pixel from which on a part is answered as the whole is."""
    whole = torch.rand(1, side, side, channels, dtype=torch.float64)
    dim = edge.axis + 1
    start, length = (0, cut) if edge.before else (cut, side - cut)
    with torch.inference_mode():
        expected, found = compute(whole), compute(whole.narrow(dim, start, length))
    expected = expected.narrow(dim, start * expected.shape[dim] // side, found.shape[dim])
    error = (expected - found).abs().amax([axis for axis in range(4) if axis != dim])
    wrong = torch.nonzero((error.flip(0) if edge.before else error) > 1e-12)
    return int(wrong.max()) + 1 if len(wrong) else 0


@pytest.mark.parametrize("name", LAYERS)
def test_the_predicted_contamination_is_the_measured_one(name: str) -> None:
    make, channels, side, cut = LAYERS[name]
    torch.manual_seed(2)
    compute, chain = make()
    for module in compute.modules() if isinstance(compute, nn.Module) else ():
        for parameter in module.parameters(recurse=False):
            nn.init.normal_(parameter, std=0.5)
    assert cut % lattice(chain) == 0
    predicted = spread(chain, CLEAN)
    found = tuple(measured(compute, channels, side, cut, edge) for edge in EDGES)
    assert found == predicted


def test_a_cut_off_the_lattice_is_felt_everywhere() -> None:
    torch.manual_seed(2)
    attention, chain = own(IntraAttention(4, 2, grid(8)))
    assert lattice(chain) == 8
    assert measured(attention, 4, 48, 16, EDGES[0]) == 0
    whole = torch.rand(1, 48, 48, 4, dtype=torch.float64)
    with torch.inference_mode():
        change = (attention(whole)[:, 12:44] - attention(whole[:, 12:44])).abs().amax((0, 2, 3))
    assert change.min() > 1e-4


def test_the_shift_is_seen_from_both_sides_of_a_cut() -> None:
    assert spread((Window(8, 2),), CLEAN) == (2, 6, 2, 6)
    assert spread((Conv(3), Window(8, 2)), CLEAN) == (10, 6, 10, 6)


def test_height_and_width_may_differ() -> None:
    assert spread((Window((16, 32), (8, 0)), Conv(1)), CLEAN) == (9, 9, 1, 1)
    assert lattice((Window((16, 24)),)) == 48


def test_levels_are_counted_in_their_own_pixels() -> None:
    chain = (Conv(3), Down(2), Window(8), Up(2), Conv(1))
    assert spread(chain, CLEAN) == (17, 17, 17, 17)  # 3 -> 2 -> 8 -> 16 -> 17
    assert lattice(chain) == 16
    assert shrinkage(chain) == 1
    assert spread((Pool(4),), (1, 0, 0, 0)) == (10, 6, 6, 6)


def test_branches_of_different_sizes_cannot_be_joined() -> None:
    with pytest.raises(ValueError, match="different sizes"):
        Parallel((), (Down(2),))


def test_a_layer_of_unknown_reach_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="MaxPool2d does not declare"):
        declared(nn.MaxPool2d(2))
