from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from models.layers.attention import Projection, attend, together


def test_parts_of_a_projection_are_those_of_its_whole_answer_by_heads_and_together_again() -> None:
    layer, x = Projection(5, 6 * 4, 6).double(), torch.randn(3, 7, 5, dtype=torch.float64)
    whole = F.linear(x, layer.weight, layer.bias).reshape(3, 7, 6, 2, 2)
    wanted = layer(x, 2, slice(3, 6))
    for part, expected in zip(wanted, whole.unbind(2)[3:], strict=True):
        assert (part - expected.transpose(1, 2)).abs().max() < 1e-12
        assert (together(part) - expected.flatten(2)).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.05)]
)
@pytest.mark.parametrize("width", [5, 7, 8])
def test_a_masked_key_gets_no_weight(dtype: torch.dtype, tolerance: float, width: int) -> None:
    q, k, v = torch.randn(3, 6, 2, 4, width, generator=torch.Generator().manual_seed(0)).to(dtype)
    bias = torch.randn(2, 4, 4).to(dtype)
    masked = torch.tensor([[False, True, False, True], [False] * 4, [True, True, True, False]])

    scores = (q.double() @ k.double().transpose(-2, -1) + bias.double()).view(2, 3, 2, 4, 4)
    scores = scores.masked_fill(masked[None, :, None, None, :], -torch.inf).view(6, 2, 4, 4)
    expected = scores.softmax(-1) @ v.double()
    assert (attend(q, k, v, bias, masked).double() - expected).abs().max() < tolerance
