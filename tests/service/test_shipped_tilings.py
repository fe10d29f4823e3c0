"""Every shipped weight, exported: `unseam restore --tile 256` and `--tile 0` give the same picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.scene import draw
from models.registry import Card, cards
from service import cli
from service.catalogue import Artifact

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
HEIGHT, WIDTH = 301, 427


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_the_picture_does_not_depend_on_how_it_was_cut(
    card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (ARTIFACTS / card.name / "staged.json").is_file():
        pytest.skip(f"{card.name} is not exported; unseam export --missing")
    if Artifact.read(ARTIFACTS / card.name).manifest.weights_sha256 != card.sha256:
        pytest.skip(f"other weights of {card.name} are exported; unseam export --missing")
    for name, value in (("ARTIFACTS", str(ARTIFACTS)), ("THREADS", "1"), ("BACKEND", "onnx")):
        monkeypatch.setenv(f"UNSEAM_{name}", value)
    scene = draw(HEIGHT, WIDTH) + np.random.default_rng(0).normal(scale=0.05, size=(HEIGHT, WIDTH, 3))
    picture = np.rint(scene.clip(0, 1) * 255).astype(np.uint8)
    if card.pattern:
        picture = _mosaic(picture)
    Image.fromarray(picture).save(tmp_path / "in.png")

    def restored(tile: int) -> NDArray[np.int16]:
        given = [str(tmp_path / "in.png"), "-o", str(tmp_path / f"{tile}.png"), "--task", card.task]
        given += ["--model", card.name, "--tile", str(tile)]
        assert cli.main(["restore", *given]) == 0
        return np.asarray(Image.open(tmp_path / f"{tile}.png")).astype(np.int16)

    whole, tiled = restored(0), restored(256)
    assert whole.shape == (HEIGHT * card.scale, WIDTH * card.scale, 3)
    assert np.mean(whole == tiled) >= 0.9995
    assert np.abs(whole - tiled).max() <= 1


def _mosaic(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Red, green, green and blue of each 2 x 2 block."""
    mosaic = picture[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = picture[::2, ::2, 0], picture[1::2, 1::2, 2]
    return mosaic
