from __future__ import annotations

import pytest
import torch

from models.kit.attention import BALANCE, KnnLocalAttention, attend_pairs, safe_reciprocal
from models.kit.hashing import bucket
from models.layers.windows import merge, partition


def test_pairs_are_attended_one_by_one_and_weighed_by_their_product() -> None:
    q, k, v = torch.randn(3, 5, 4, 6, dtype=torch.float64).unbind()  # five patches of four pixels, six channels
    out, product = attend_pairs(q, k, v)
    for p in range(5):
        expected = torch.zeros(4, 6, dtype=torch.float64)
        for other in range(5):
            raw = (q[p] * k[other]).sum()  # Eq. 9, over the whole patch
            assert product[p, other].item() == pytest.approx(raw.item() / (4 * 6**0.5), rel=1e-5, abs=1e-6)
            expected += product[p, other] * ((q[p] @ k[other].T / 6**0.5).softmax(-1) @ v[other])  # Eq. 8
        assert (out[p] - expected).abs().max() <= 1e-6


def test_a_well_conditioned_sum_is_divided_by_exactly() -> None:
    total, magnitude = torch.tensor([3.0, -2.0, 0.11]), torch.tensor([3.0, 4.0, 1.0])
    assert torch.allclose(safe_reciprocal(total, magnitude), 1 / total, rtol=1e-6)


def test_weights_stay_bounded_and_continuous_where_products_cancel() -> None:
    total = torch.linspace(-1, 1, 20001, dtype=torch.float64)
    weight = safe_reciprocal(total, torch.ones_like(total))
    assert weight.abs().max() <= 1 / BALANCE + 1e-9
    assert weight.diff().abs().max() <= 0.02
    assert safe_reciprocal(torch.zeros(1), torch.zeros(1)).item() == 0.0


def make(**changes: int) -> KnnLocalAttention:
    torch.manual_seed(0)
    shape = {"patch": 2, "neighbours": 2, "cell": 8, "rounds": 2, "buckets": 4, "seed": 0} | changes
    return KnnLocalAttention(6, 2, **shape).double().eval()


def test_the_layer_is_the_papers_sum_over_sorted_chunks() -> None:
    layer = make(rounds=3)
    x = torch.randn(1, 8, 8, 6, dtype=torch.float64)
    patches = partition(x, (2, 2))  # (16 patches, 4 pixels, 6 channels)
    codes = bucket(patches.reshape(1, 16, 24), layer.rotation, 3)[0]
    qkv = partition(layer.qkv(x), (2, 2)).reshape(16, 4, 3, 2, 3)
    out = torch.zeros(16, 4, 2, 3, dtype=torch.float64)
    for head in range(2):
        q, k, v = qkv[:, :, :, head].unbind(2)
        for p in range(16):
            near = []
            for code in codes:
                order = sorted(range(16), key=lambda i, code=code: (int(code[i]), i))
                chunk = order.index(p) // 2
                near += order[2 * chunk : 2 * chunk + 2] + [order[(2 * chunk - 2 + i) % 16] for i in range(2)]
            raw = torch.stack([(q[p] * k[other]).sum() for other in near])
            weights = raw * safe_reciprocal(raw.sum(), raw.abs().sum())
            for weight, other in zip(weights, near, strict=True):
                out[p, :, head] += weight * ((q[p] @ k[other].T / 3**0.5).softmax(-1) @ v[other])
    expected = layer.proj(merge(out.reshape(16, 4, 6), (2, 2), 8, 8))
    assert (layer(x) - expected).abs().max() <= 1e-5


def test_short_vectors_are_finite_in_half_precision() -> None:
    layer = make().float()
    with torch.no_grad():
        for parameter in layer.qkv.parameters():
            parameter[:12] *= 1e-3  # queries and keys: their products are below what float16 can divide by
    assert layer.half()(torch.randn(1, 8, 8, 6).half()).isfinite().all()


def test_cells_do_not_feel_each_other() -> None:
    layer = make()
    x = torch.randn(1, 8, 24, 6, dtype=torch.float64)
    alone = torch.cat([layer(cell) for cell in x.split(8, dim=2)], dim=2)
    assert (layer(x) - alone).abs().max() <= 1e-12


def test_less_memory_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = make(), torch.randn(2, 16, 16, 6, dtype=torch.float64)
    expected = layer(x)
    monkeypatch.setattr("models.layers.chunks.CHUNK_ELEMENTS", 1)
    assert (layer(x) - expected).abs().max() <= 1e-12


def test_a_cell_that_holds_no_whole_chunks_is_refused() -> None:
    with pytest.raises(ValueError, match="whole chunks of 3 patches"):
        make(neighbours=3)
