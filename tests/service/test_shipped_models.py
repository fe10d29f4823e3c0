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
from benchmarks.untouched import untouched
from imaging.codec import decode
from imaging.mosaic import PATTERNS
from imaging.quality import psnr
from models.registry import Card, cards
from training.degradations import create
from training.degradations.mosaic import bayer_planes
from training.recipe import Recipe

Array = NDArray[np.float32]

SCENE = draw(144, 192).astype(np.float32)
with Image.open(get_data_path() + "/sample_data/grace_hopper.jpg") as portrait:  # real grain is not drawn
    PHOTOGRAPH = np.asarray(portrait.crop((120, 40, 360, 232)), np.float32) / 255


def ready(*values: Any, card: Card) -> Any:
    """A test's parameters, skipped where the card's network is not exported."""
    there = (ROOT / "artifacts" / card.name / "manifest.json").is_file()
    missing = pytest.mark.skipif(not there, reason=f"{card.name} is not exported; unseam export --missing")
    return pytest.param(*values, marks=missing, id="-".join([card.name, *(str(value) for value in values[1:])]))


def kinds_of_damage() -> Iterator[tuple[Card, str]]:
    """Every card with each of its recipe's sets whose damage no earlier one has; `clean` has none."""
    for card in cards():
        seen: list[dict[str, Any]] = []
        for chosen in Recipe.named(card.recipe).validation:
            damages = not chosen.clean and chosen.input is None  # else the files are damaged already
            if damages and chosen.degradation not in seen:
                seen.append(chosen.degradation)
                yield card, chosen.name


DAMAGED = [ready(card, name, card=card) for card, name in kinds_of_damage()]
KEEPS_SIZE = [ready(card, card=card) for card in cards() if card.scale == 1 and card.pattern is None]
MOSAICS = [ready(card, pattern, card=card) for card in cards() if card.pattern for pattern in PATTERNS]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(ROOT / "artifacts") as (address, _):
        yield address


def asked(server: str, card: Card, png: bytes, pattern: str | None = None) -> bytes:
    """The PNG after POST /restore."""
    question: dict[str, Any] = {"task": card.task, "model": card.name}
    if card.scale > 1:
        question["scale"] = card.scale
    if pattern := pattern or card.pattern:
        question["pattern"] = pattern
    url = f"http://{server}/restore"
    answer = httpx.post(url, params=question, content=png, timeout=100, headers={"Prefer": "wait=90"})
    assert answer.status_code == 200, answer.text
    return answer.content


def restored(server: str, card: Card, picture: Array) -> Array:
    """The picture after POST /restore: 8-bit PNG there, 8-bit PNG back, values 0..1."""
    sent = io.BytesIO()
    Image.fromarray((picture.squeeze() * 255).round().clip(0, 255).astype(np.uint8)).save(sent, "PNG")
    with Image.open(io.BytesIO(asked(server, card, sent.getvalue()))) as image:
        pixels = np.asarray(image, np.float32) / 255
    return pixels if pixels.ndim == 3 else pixels[..., None]


def degraded(card: Card, name: str) -> tuple[Array, Array]:
    """The scene as the validation set of this name degrades it, and what it should become."""
    recipe = Recipe.named(card.recipe)
    chosen = next(chosen for chosen in recipe.validation if chosen.name == name)
    options = recipe.degradation_with({**chosen.degradation, **({"clean_share": 0.0} if chosen.pairs else {})})
    pair = create(**options)(torch.from_numpy(SCENE).permute(2, 0, 1).unsqueeze(0), torch.Generator().manual_seed(1))
    damaged, wanted = (part.squeeze(0).permute(1, 2, 0).clamp(0, 1).numpy() for part in pair)
    return damaged, wanted


@pytest.mark.parametrize(("card", "name"), DAMAGED)
def test_a_picture_comes_back_better_than_it_went(server: str, card: Card, name: str) -> None:
    damaged, wanted = degraded(card, name)
    answer = restored(server, card, damaged)
    assert psnr(answer, wanted) > psnr(untouched(damaged, wanted)[1], wanted) + 0.3


@pytest.mark.parametrize(("card", "pattern"), MOSAICS)
def test_a_mosaic_of_every_pattern_with_odd_sides_and_16_bits_is_developed(
    server: str, card: Card, pattern: str
) -> None:
    scene = SCENE[:95, :127]
    planes = bayer_planes(95, 127, pattern).permute(1, 2, 0).numpy()
    mosaic = ((scene * planes).sum(2) * 65535).round().astype(np.uint16)
    sent = io.BytesIO()
    Image.fromarray(mosaic).save(sent, "PNG")
    answer = decode(asked(server, card, sent.getvalue(), pattern))
    interpolated = untouched((scene * bayer_planes(95, 127).permute(1, 2, 0).numpy()).sum(2, keepdims=True), scene)[1]
    assert (answer.depth, answer.pixels.shape) == (16, scene.shape)
    assert (np.round(answer.pixels * 65535) % 257).any()  # not 8 bits made wider
    assert psnr(answer.pixels, scene) > psnr(interpolated, scene) + 3


@pytest.mark.parametrize("card", KEEPS_SIZE)
def test_a_picture_that_needs_nothing_is_left_as_it_is(server: str, card: Card) -> None:
    clean = PHOTOGRAPH
    answer = restored(server, card, clean)
    assert psnr(answer, clean) >= 38
    assert np.abs((answer - clean).mean((0, 1))).max() * 255 < 0.3


@pytest.mark.parametrize("card", KEEPS_SIZE)
def test_a_grey_picture_stays_grey(server: str, card: Card) -> None:
    grey = SCENE.mean(-1, keepdims=True)
    assert restored(server, card, grey).shape == grey.shape
    coloured = restored(server, card, np.repeat(grey, 3, -1))
    assert np.ptp(coloured, axis=-1).max() == 0
