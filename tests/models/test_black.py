from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from export.parity import answers
from models.build import load
from models.registry import Card, cards
from training.pages import pages

Picture = NDArray[np.float32]


def bars() -> Picture:
    """Exact black and white side by side, as in slides, masks and bars above and below a film."""
    picture = np.zeros((3, 256, 256), np.float32)
    picture[:, 96:176, 64:192] = 1
    picture[0, 208:] = 1
    return picture


def white_on_black() -> Picture:
    page = pages(1, seed=4321)[0][:256, :256].transpose(2, 0, 1).astype(np.float32) / 255
    inverted: Picture = 1 - (page - page.min()) / np.ptp(page)
    return inverted


@pytest.mark.parametrize("drawn", [bars, white_on_black])
@pytest.mark.parametrize(
    "card", [card for card in cards() if card.scale == 1 and card.pattern is None], ids=lambda card: card.name
)
def test_exact_black_beside_white_stays_what_it_is(card: Card, drawn: Callable[[], Picture]) -> None:
    picture = drawn()
    network = load(card).eval()
    with torch.inference_mode():
        off = np.abs(answers(network, picture[None]).clip(0, 1) - picture)
    assert off.mean() < 1.5 / 255
    assert (off > 0.3).mean() < 0.001
