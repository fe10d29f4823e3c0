from __future__ import annotations

from export.ladder import raised, usual


def test_sides_are_raised_to_the_lattice() -> None:
    assert raised((256, 512), 128) == (256, 512)
    assert raised((256, 512), 96) == (288, 576)
    assert raised((100, 256), 256) == (256,)


def test_networks_that_enlarge_much_have_smaller_tiles() -> None:
    assert usual(2, 64, one_pass=False) == (256, 512)
    assert usual(4, 32, one_pass=False) == (192, 384)


def test_a_wide_lattice_has_a_large_tile_for_one_pass() -> None:
    assert usual(1, 128, one_pass=True) == (256, 512, 1024)
    assert usual(1, 128, one_pass=False) == usual(1, 64, one_pass=True) == (256, 512)
