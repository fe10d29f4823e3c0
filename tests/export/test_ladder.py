from __future__ import annotations

from export.ladder import fitting, halos, raised, usual


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


def test_of_the_halos_with_one_stride_the_largest_is_tried() -> None:
    assert list(halos(512, 128)) == [64, 128]
    assert list(halos(256, 128)) == [64]
    assert list(halos(128, 128)) == [0]
    assert list(halos(64, 8)) == [4, 8, 12, 16]


def test_a_halo_that_a_tile_has_no_room_for_is_cut_to_the_largest_tolerable_one() -> None:
    assert [fitting(192, tile, 128) for tile in (128, 256, 512, 1024)] == [0, 64, 128, 192]
