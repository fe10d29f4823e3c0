"""The README's gallery, a row for each task, drawn and damaged by ourselves: `python -m benchmarks.sample`.

The scene is benchmarks/scene.py's and every seed is fixed: the shipped weights alone decide what it shows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image
from torch.nn.functional import avg_pool2d

from benchmarks import scene
from benchmarks.sheets import Row, page
from models.build import load
from models.registry import Card, for_task
from training.degradations import create
from training.picture_files import Array
from training.validation import restored

PATH: Final = Path(__file__).parents[1] / "docs" / "figures" / "gallery.png"
HEIGHT, WIDTH = 256, 384  # of the scene
SHOWN_HEIGHT, SHOWN_WIDTH = 120, 216  # of a cell
SEED: Final = 5

Restore = Callable[[Card, Array], Array]

# Degradation and its options by task and scale: as one meets them, not as bad as can be.
DAMAGE: Final[dict[tuple[str, int], tuple[str, dict[str, Any]]]] = {
    ("derain", 1): ("rain", {"clean_share": 0.0, "drawn_share": 1.0, "gain": [0.7, 0.75]}),
    ("denoise", 1): ("noise", {"sigma": [25.0, 25.0], "clipped_share": 1.0, "grey_share": 0.0}),
    ("dejpeg", 1): ("jpeg", {"quality": [10.0, 10.0], "grey_share": 0.0, "shifted_share": 0.0, "clean_share": 0.0}),
    ("deblur", 1): ("motion-blur", {"length_px": [8.0, 8.0], "lights_share": 0.0, "clean_share": 0.0}),
    ("defocus", 1): ("defocus", {"radius_px": [5.0, 5.0], "clean_share": 0.0}),
    ("weather", 1): ("snow", {}),
    ("demosaic", 1): ("mosaic", {"noisy_share": 0.0}),
    ("upscale", 2): ("downscale", {"scale": 2}),
}


def sample(restore: Restore) -> Image.Image:
    """The sheet: the scene under each damage, what `restore` makes of it for the task's default model, the scene."""
    large = torch.from_numpy(scene.draw(HEIGHT * 2, WIDTH * 2)).permute(2, 0, 1)[None].float()
    clean = avg_pool2d(large, 2)
    rows = []
    for (task, scale), (kind, options) in DAMAGE.items():
        pair = create(kind, **options)(clean, torch.Generator().manual_seed(SEED))
        degraded, target = (part[0].permute(1, 2, 0).clamp(0, 1).numpy() for part in pair)
        words = f"{task} x{scale}" if scale > 1 else task
        rows.append(Row(words, degraded, restore(for_task(task, scale), degraded), target))
    return page(rows, SHOWN_WIDTH, SHOWN_HEIGHT)


def main() -> None:
    """Draw it with the shipped weights."""
    sheet = sample(lambda card, degraded: restored(load(card), degraded, torch.device("cpu")))
    # A fraction of the bytes, and little difference to see.
    sheet.quantize(128, dither=Image.Dither.NONE).save(PATH, optimize=True)
    print(PATH)


if __name__ == "__main__":
    main()
