from __future__ import annotations

import torch

from models.kit.hashing import bucket, counting_sort, rotations


def test_counting_equals_a_stable_sort() -> None:
    codes = torch.randint(0, 8, (3, 4, 64))
    order, rank = counting_sort(codes, 8)
    assert torch.equal(order, codes.sort(dim=-1, stable=True).indices)
    assert torch.equal(rank.gather(-1, order), torch.arange(64).expand_as(order))


def test_rotations_are_the_same_numbers_in_every_precision() -> None:
    drawn = rotations(64, 4, 16, seed=3)
    assert torch.equal(drawn, rotations(64, 4, 16, seed=3))
    assert not torch.equal(drawn, rotations(64, 4, 16, seed=4))
    for dtype in (torch.float16, torch.bfloat16):
        assert torch.equal(drawn.to(dtype).float(), drawn)


def test_a_hash_is_the_nearest_of_the_directions_and_their_opposites() -> None:
    patches, rotation = torch.randn(2, 9, 12), rotations(12, 3, 6, seed=0)
    codes = bucket(patches, rotation, rounds=3)
    along = patches[1, 4] @ rotation[:, 3:6]  # the second round
    assert codes[1, 1, 4] == torch.cat((along, -along)).argmax()
    assert torch.equal(bucket(7 * patches, rotation, rounds=3), codes)


def test_hashing_is_float32_under_autocast() -> None:
    patches, rotation = torch.randn(2, 64, 48), rotations(48, 2, 8, seed=0)
    with torch.autocast("cpu", torch.bfloat16):
        codes = bucket(patches, rotation, rounds=2)
    assert torch.equal(codes, bucket(patches, rotation, rounds=2))
