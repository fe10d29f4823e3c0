from __future__ import annotations

import torch

from models.semanir.dictionary import EMPTY, Dictionary, among_largest, largest, most_similar


def test_a_token_lists_the_most_similar_others() -> None:
    tokens = torch.randn(3, 16, 5)
    similarity = tokens @ tokens.transpose(1, 2)
    similarity.diagonal(dim1=1, dim2=2).fill_(-torch.inf)
    keys = most_similar(tokens, (4, 4), 5).keys
    worst_listed = similarity.gather(-1, keys).amin(-1)
    best_left_out = similarity.scatter(-1, keys, -torch.inf).amax(-1)
    assert (worst_listed >= best_left_out).all()
    assert (keys != torch.arange(16)[:, None]).all()


def test_of_equal_tokens_the_earlier_are_listed() -> None:
    keys = most_similar(torch.ones(1, 16, 4), (4, 4), 3).keys
    assert keys[0, 0].sort().values.tolist() == [1, 2, 3]
    assert keys[0, 9].sort().values.tolist() == [0, 1, 2]


def test_largest_prefers_the_lower_index() -> None:
    scores = torch.tensor([[1.0, 3.0, 2.0, 3.0, 2.0], [5.0, 5.0, 5.0, 0.0, 5.0]]).T
    assert largest(scores, 3).T.tolist() == [[1, 3, 2], [0, 1, 2]]


def test_what_is_among_the_largest_is_what_largest_finds_and_no_candidate_is_none() -> None:
    scores = torch.randint(0, 4, (3, 16, 7)).float()
    expected = torch.zeros_like(scores, dtype=torch.bool).scatter(1, largest(scores, 6), True)
    assert torch.equal(among_largest(scores, 6), expected)
    scores[:, 4:] = -torch.inf
    assert torch.equal(among_largest(scores, 6), scores > -torch.inf)


def test_fill_is_nobodys_key_and_leaves_empty_places() -> None:
    filled = torch.zeros(2, 16, dtype=torch.bool)
    filled[1, 4:] = True
    dictionary = most_similar(torch.randn(4, 16, 3), (4, 4), 6, filled)  # two pictures of two windows
    for window in (1, 3):
        assert (dictionary.penalty[window][:, 4:] < 0).all()
        assert (dictionary.keys[window] == EMPTY).sum(-1)[0] == 3
    assert (dictionary.keys[0::2] != EMPTY).all()


def test_the_selection_is_float32_for_half_precision_tokens() -> None:
    tokens = torch.randn(2, 64, 24).half()
    expected = most_similar(tokens.float(), (8, 8), 9).keys
    assert torch.equal(most_similar(tokens, (8, 8), 9).keys, expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(most_similar(tokens, (8, 8), 9).keys, expected)


def test_offsets_count_from_key_to_query() -> None:
    dictionary = Dictionary(torch.tensor([[[1], [0], [1], [EMPTY]]]), (2, 2))
    assert dictionary.offsets.flatten().tolist()[:3] == [1 * 3 + 0, 1 * 3 + 2, 2 * 3 + 0]
