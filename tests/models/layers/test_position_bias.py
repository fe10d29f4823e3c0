from __future__ import annotations

import itertools

import torch

from models.layers.position_bias import ContinuousPositionBias, RelativePositionBias, log_spaced_offsets


def test_a_pair_reads_the_table_at_its_offset() -> None:
    h, w = 2, 3
    bias = RelativePositionBias((h, w), num_heads=2)
    pixels = list(itertools.product(range(h), range(w)))
    result = bias()
    assert result.shape == (2, h * w, h * w)
    for (i, (y, x)), (j, (v, u)) in itertools.product(enumerate(pixels), enumerate(pixels)):
        flat = (y - v + h - 1) * (2 * w - 1) + x - u + w - 1
        assert torch.equal(result[:, i, j], bias.table[flat])


def test_offsets_are_log_spaced_symmetric_and_end_near_one() -> None:
    table = log_spaced_offsets((8, 8), (8, 8))
    assert table.shape == (15, 15, 2)
    assert torch.equal(table[7, 7], torch.zeros(2))
    assert torch.allclose(table[:, 0, 0], -table.flip(0)[:, 0, 0])
    assert torch.isclose(table[14, 0, 0], torch.tensor(9.0).log2() / 3)


def test_continuous_bias_lies_between_0_and_16_and_serves_anchors_both_ways() -> None:
    to_anchors = ContinuousPositionBias((8, 4), (4, 2), num_heads=3)
    to_pixels = ContinuousPositionBias((4, 2), (8, 4), num_heads=3)
    to_pixels.load_state_dict(to_anchors.state_dict())
    down, up = to_anchors(), to_pixels()
    assert down.shape == (3, 32, 8)
    assert up.shape == (3, 8, 32)
    assert down.min() > 0
    assert down.max() < 16
