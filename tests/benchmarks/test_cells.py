from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.cells import asked, pitch, steps
from models.ipt_v2.model import CONFIGS, IPTV2
from models.registry import cards


def picture() -> np.ndarray:
    return np.random.default_rng(0).random((400, 320, 3), np.float32)


def test_a_network_that_treats_all_places_alike_makes_no_steps() -> None:
    borders, elsewhere = steps(lambda image: image * 0.5, picture(), 64)
    assert [borders.size, elsewhere.size] == [10 * 5, 10 * 4]  # runs along, lines from 128 to 384 and from 144 to 336
    assert max(borders.max(), elsewhere.max()) < 1e-3


def test_cells_that_are_brighter_than_their_neighbours_are_seen_at_their_borders_alone() -> None:
    def by_cells(image: np.ndarray) -> np.ndarray:
        odd = np.arange(len(image)) // 64 % 2
        return image + odd[:, None, None].astype(np.float32) * 3 / 255

    borders, elsewhere = steps(by_cells, picture(), 64)
    assert borders == pytest.approx(3, abs=1e-3)
    assert elsewhere.max() < 1e-3


def test_a_picture_without_a_line_to_look_at_has_no_steps() -> None:
    assert [found.size for found in steps(lambda image: image, picture()[:130], 64)] == [0, 0]


def test_cells_that_overlap_by_half_have_borders_twice_as_often() -> None:
    config = replace(CONFIGS["tiny_deep"], embed_dim=4, depths=(2, 2, 2))
    assert pitch(IPTV2(config)) == 128
    assert pitch(IPTV2(replace(config, faded=True))) == 64


def test_networks_with_wide_cells_are_asked() -> None:
    names = {card.name for card in asked(cards())}
    assert {"ipt-v2-tiny-weather", "kit-tiny-deblur"} <= names
    assert not {name for name in names if name.startswith(("semanir", "grl"))}
