from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.iitransformer.attention import InterAttention, IntraAttention
from models.layers.windows import Windows


def by_definition(layer: InterAttention, x: Tensor) -> Tensor:
    """Eq. 3 to 6 pair by pair, for an unshifted layer."""
    _, height, width, dim = x.shape
    (m, _), heads, (reach, _) = layer.patches.size, layer.num_heads, layer.reach
    rows, columns, head = height // m, width // m, dim // heads
    q, k, v = (
        F.linear(x, layer.qkv.weight, layer.qkv.bias)[0]
        .reshape(rows, m, columns, m, 3, heads, head)
        .permute(4, 5, 0, 2, 1, 3, 6)
        .flatten(4)
    )
    out = torch.zeros_like(q)
    for h in range(heads):
        for y in range(rows):
            for z in range(columns):
                near = [
                    (r, c) for r in range(rows) for c in range(columns) if abs(y - r) < reach and abs(z - c) < reach
                ]
                flat = [(y - r + reach - 1) * (2 * reach - 1) + z - c + reach - 1 for r, c in near]
                scores = torch.stack([q[h, y, z] @ k[h, r, c] for r, c in near]) * head**-0.5
                weights = (scores + layer.bias.table[flat, h]).softmax(0)
                out[h, y, z] = sum(w * v[h, r, c] for w, (r, c) in zip(weights, near, strict=True))
    out = out.reshape(heads, rows, columns, m, m, head).permute(1, 3, 2, 4, 0, 5).reshape(1, height, width, dim)
    return layer.proj(out)


@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (4, 9), (11, 4), (5, 13)])
def test_inter_attention_is_equations_3_to_6_on_small_maps_and_by_blocks_on_large_ones(rows: int, columns: int) -> None:
    torch.manual_seed(0)
    layer = InterAttention(4, 2, Windows((2, 2)), (2, 2)).double()
    torch.nn.init.normal_(layer.bias.table)
    x = torch.randn(1, 2 * rows, 2 * columns, 4, dtype=torch.float64)
    with torch.no_grad():
        assert (layer(x) - by_definition(layer, x)).abs().max() < 1e-12


def test_a_large_map_done_strip_by_strip_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = InterAttention(4, 2, Windows((2, 2), (1, 1)), (2, 2)).double()
    x = torch.randn(2, 22, 18, 4, dtype=torch.float64)
    with torch.no_grad():
        at_once = layer(x)
        monkeypatch.setattr("models.iitransformer.attention.LARGEST_COPY", 1)
        assert torch.equal(layer(x), at_once)


@pytest.mark.parametrize("height", [2, 4, 8])
def test_patches_that_overhang_the_picture_are_no_keys_unless_there_are_no_others(height: int) -> None:
    torch.manual_seed(0)
    layer = InterAttention(4, 2, Windows((2, 2), (1, 1)), (3, 3)).double()
    x = torch.randn(1, height, 8, 4, dtype=torch.float64, requires_grad=True)
    out = layer(x)
    assert out.isfinite().all()
    # A pixel of the top row lies in an overhanging patch only: from inside, it is read where it is the sole row.
    (gradient,) = torch.autograd.grad(out[0, height // 2, 3].sum(), x)
    assert (gradient[0, 0, 5:7].abs().max() > 0) == (height == 2)


def test_intra_attention_stays_inside_its_patch() -> None:
    torch.manual_seed(0)
    layer = IntraAttention(4, 2, Windows((4, 4), (2, 2))).double()
    x = torch.randn(1, 12, 12, 4, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x)[0, 3, 0].sum(), x)
    touched = gradient.abs().sum(-1)[0] > 0
    expected = torch.zeros(12, 12, dtype=torch.bool)
    expected[2:6, 0:2] = True
    assert torch.equal(touched, expected)
