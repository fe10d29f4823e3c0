"""Draw the page's thumbnails, each task's damage over one scene: `python -m benchmarks.thumbnails`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from benchmarks import scene
from training.degradations import create

FOLDER: Final = Path(__file__).parents[1] / "service" / "api" / "web" / "thumbnails"
HEIGHT, WIDTH = 144, 192
SEED: Final = 5

# Strong enough to be seen in a picture as large as a stamp.
DAMAGE: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "derain": ("rain", {"clean_share": 0.0, "drawn_share": 1.0, "gain": [1.6, 1.7]}),
    "denoise": ("noise", {"sigma": [45.0, 45.0], "clipped_share": 1.0, "grey_share": 0.0}),
    "dejpeg": (
        "jpeg",
        {"quality": [9.0, 9.0], "grey_share": 0.0, "shifted_share": 0.0, "clean_share": 0.0},
    ),
    "deblur": ("motion-blur", {"length_px": [18.0, 18.0]}),
    "defocus": ("defocus", {"radius_px": [7.0, 7.0], "clean_share": 0.0}),
    "weather": ("snow", {}),
    "demosaic": ("mosaic", {"noisy_share": 0.0}),
    "upscale": ("downscale", {"scale": 4}),
}


def main() -> None:
    """Write the scene and one picture for each task."""
    large = torch.from_numpy(scene.draw(HEIGHT * 3, WIDTH * 3)).permute(2, 0, 1)[None].float()
    clean = avg_pool2d(large, 3)
    FOLDER.mkdir(exist_ok=True)
    _save(clean, "scene")
    for task, (kind, options) in DAMAGE.items():
        picture = avg_pool2d(clean, 2) if kind == "mosaic" else clean  # its single pixels are to be seen
        damaged, _ = create(kind, **options)(picture, torch.Generator().manual_seed(SEED))
        _save(_shown(damaged), task)


def _shown(damaged: Tensor) -> Tensor:
    """As wide as the scene; a mosaic's values each in their own colour."""
    if damaged.shape[1] == 1:
        colour = torch.zeros(3, 2, 2)
        colour[0, 0, 0] = colour[1, 0, 1] = colour[1, 1, 0] = colour[2, 1, 1] = 1
        damaged = damaged * colour.tile(1, damaged.shape[2] // 2, damaged.shape[3] // 2) * 1.6
    return interpolate(damaged, size=(HEIGHT, WIDTH), mode="nearest")


def _save(picture: Tensor, name: str) -> None:
    values = (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    Image.fromarray(values).save(FOLDER / f"{name}.webp", quality=88, method=6)


if __name__ == "__main__":
    main()
