"""Every shipped weight, exported and served: does it restore, and does it leave alone what needs no restoring?"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image
from served import ROOT, serving

from benchmarks.scene import draw
from imaging.quality import psnr
from models.registry import Card, cards
from training.degradations import create
from training.recipe import Recipe

Array = NDArray[np.float32]

SCENE = draw(192, 240).astype(np.float32)
with Image.open(get_data_path() + "/sample_data/grace_hopper.jpg") as portrait:  # real grain is not drawn
    PHOTOGRAPH = np.asarray(portrait.crop((120, 40, 360, 232)), np.float32) / 255
MISSING = [card.name for card in cards() if not (ROOT / "artifacts" / card.name / "manifest.json").is_file()]
KEEPS_SIZE = [card for card in cards() if card.scale == 1 and card.pattern is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not exported: {', '.join(MISSING)}; unseam export --missing")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(ROOT / "artifacts") as (address, _):
        yield address


def restored(server: str, card: Card, picture: Array) -> Array:
    """The picture after POST /restore: 8-bit PNG there, 8-bit PNG back, values 0..1."""
    question: dict[str, Any] = {"task": card.task, "model": card.name}
    if card.scale > 1:
        question["scale"] = card.scale
    if card.pattern:
        question["pattern"] = card.pattern
    sent = io.BytesIO()
    Image.fromarray((picture.squeeze() * 255).round().clip(0, 255).astype(np.uint8)).save(sent, "PNG")
    url = f"http://{server}/restore"
    answer = httpx.post(url, params=question, content=sent.getvalue(), timeout=100, headers={"Prefer": "wait=90"})
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as image:
        pixels = np.asarray(image, np.float32) / 255
    return pixels if pixels.ndim == 3 else pixels[..., None]


def degraded(card: Card) -> tuple[Array, Array]:
    """The scene as the first validation set of the card's recipe degrades it, and what it should become."""
    recipe = Recipe.named(card.recipe)
    chosen = next(chosen for chosen in recipe.validation if not chosen.clean)
    degrade = create(**{**recipe.degradation, **chosen.degradation, **({"clean_share": 0.0} if chosen.pairs else {})})
    pair = degrade(torch.from_numpy(SCENE).permute(2, 0, 1).unsqueeze(0), torch.Generator().manual_seed(1))
    damaged, wanted = (part.squeeze(0).permute(1, 2, 0).clamp(0, 1).numpy() for part in pair)
    return damaged, wanted


def at_full_size(card: Card, damaged: Array, wanted: Array) -> Array:
    """What one would have without the network: the picture itself, enlarged, or with a mosaic's gaps filled."""
    if card.scale > 1:
        image = Image.fromarray((damaged * 255).round().astype(np.uint8))
        return np.asarray(image.resize(wanted.shape[1::-1], Image.Resampling.BICUBIC), np.float32) / 255
    if not card.pattern:
        return damaged
    colours = [0, 1, 1, 2]  # rggb, row by row
    planes = np.zeros(wanted.shape, np.float32)
    for plane in range(3):
        places = [divmod(index, 2) for index, colour in enumerate(colours) if colour == plane]
        cells = np.mean([damaged[y::2, x::2, 0] for y, x in places], axis=0)
        planes[..., plane] = np.asarray(Image.fromarray(cells).resize(wanted.shape[1::-1], Image.Resampling.BILINEAR))
    return planes


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_a_picture_comes_back_better_than_it_went(server: str, card: Card) -> None:
    damaged, wanted = degraded(card)
    answer = restored(server, card, damaged)
    assert psnr(answer, wanted) > psnr(at_full_size(card, damaged, wanted), wanted) + 0.3


@pytest.mark.parametrize("card", KEEPS_SIZE, ids=lambda card: card.name)
def test_a_picture_that_needs_nothing_is_left_as_it_is(server: str, card: Card) -> None:
    clean = PHOTOGRAPH
    answer = restored(server, card, clean)
    assert psnr(answer, clean) >= 38
    assert np.abs((answer - clean).mean((0, 1))).max() * 255 < 0.3


@pytest.mark.parametrize("card", KEEPS_SIZE, ids=lambda card: card.name)
def test_a_grey_picture_stays_grey(server: str, card: Card) -> None:
    grey = SCENE.mean(-1, keepdims=True)
    assert restored(server, card, grey).shape == grey.shape
    coloured = restored(server, card, np.repeat(grey, 3, -1))
    assert np.ptp(coloured, axis=-1).max() == 0
