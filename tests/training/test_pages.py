from __future__ import annotations

import numpy as np

from training.pages import SIDE, pages


def test_pages_are_the_same_for_the_same_seed_alone() -> None:
    first, again, other = pages(2, 0), pages(2, 0), pages(2, 1)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


def test_a_page_is_mostly_paper_with_strokes_on_it() -> None:
    for page in pages(6, 3):
        assert page.shape == (SIDE, SIDE, 3)
        assert page.dtype == np.uint8
        colours, counts = np.unique(page.reshape(-1, 3), axis=0, return_counts=True)
        paper = colours[counts.argmax()].astype(int)
        far = np.abs(page - paper).max(-1) > 60
        assert counts.max() > 0.3 * SIDE**2
        assert 0.01 < far.mean() < 0.7


def test_some_pages_have_even_areas_as_dark_or_as_light_as_a_file_can_say() -> None:
    shares = []
    for page in pages(12, 0):
        colours, counts = np.unique(page.reshape(-1, 3), axis=0, return_counts=True)
        pure = np.isin(colours, (0, 255)).all(axis=1) & (counts < counts.max())
        shares.append(counts[pure].sum() / SIDE**2)
    assert sum(share > 0.01 for share in shares) >= 2
