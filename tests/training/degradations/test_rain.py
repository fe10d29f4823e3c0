from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.degradations import create
from training.degradations.rain import Rain
from training.degradations.ranges import DegradationError


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two pairs of one set: rain of 40/255 in the first, of 200/255, clipped in red, in the second."""
    clean = np.full((24, 32, 3), (180, 30, 20), np.uint8)
    Image.fromarray(clean).save(tmp_path / "clean.png")
    rows = ["rainy\tclean\tset"]
    for name, rain in (("thin", 40), ("thick", 200)):
        rainy = np.minimum(clean.astype(int) + rain, 255).astype(np.uint8)
        Image.fromarray(rainy).save(tmp_path / f"{name}.png")
        rows.append(f"{name}.png\tclean.png\train100L")
    (tmp_path / "pairs.tsv").write_text("\n".join(rows) + "\n")
    return tmp_path


def only_layers(pairs: Path, **changes: object) -> Rain:
    options: dict[str, object] = {"pairs": pairs, "clean_share": 0, "drawn_share": 0, "veil_share": 0, "gain": (1, 1)}
    return Rain(**{**options, **changes})  # type: ignore[arg-type]


def test_a_layer_of_a_pair_is_laid_on_another_picture_exactly(pairs: Path) -> None:
    clean = torch.zeros(16, 3, 8, 8)
    rainy, target = only_layers(pairs)(clean, torch.Generator().manual_seed(0))
    assert target is clean
    assert set(rainy.mul(255).round().unique().tolist()) == {40.0, 200.0}


def test_a_held_out_pairs_rain_never_falls(pairs: Path) -> None:
    rainy, _ = only_layers(pairs, held_out=("thick.png",))(torch.zeros(16, 3, 8, 8), torch.Generator().manual_seed(0))
    assert set(rainy.mul(255).round().unique().tolist()) == {40.0}


def test_the_clean_share_stays_as_it_is(pairs: Path) -> None:
    clean = torch.rand(4, 3, 8, 8)
    rainy, _ = only_layers(pairs, clean_share=1)(clean, torch.Generator().manual_seed(0))
    assert torch.equal(rainy, clean)


def test_drawn_rain_needs_no_pairs_and_only_adds_light() -> None:
    clean = torch.full((4, 3, 32, 32), 0.3)
    rainy, _ = Rain(clean_share=0, veil_share=0)(clean, torch.Generator().manual_seed(0))
    assert torch.all(rainy >= clean)
    assert torch.any(rainy > clean + 0.1)


def test_a_crop_larger_than_a_layer_is_refused(pairs: Path) -> None:
    with pytest.raises(DegradationError, match=r"28x28 crop .* \[24, 32\]"):
        only_layers(pairs)(torch.zeros(1, 3, 28, 28), torch.Generator())


def test_ones_own_sets_are_named_as_a_recipe_writes_them(pairs: Path) -> None:
    table = pairs / "pairs.tsv"
    table.write_text(table.read_text().replace("rain100L", "mine"))
    rain = create("rain", pairs=pairs, set_shares=[["mine", 1.0]], clean_share=0, drawn_share=0, veil_share=0)
    rainy, _ = rain(torch.zeros(4, 3, 8, 8), torch.Generator().manual_seed(0))
    assert torch.all(rainy > 0.1)


@pytest.mark.parametrize("shares", [[], [["mine"]], [["mine", -1]], ["mine", 1.0], 3, [["mine", "all"]]])
def test_shares_that_are_none_are_refused(shares: object) -> None:
    with pytest.raises(DegradationError, match="set_shares must be pairs"):
        create("rain", set_shares=shares)
