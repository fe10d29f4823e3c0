"""GRL's geometry: every published configuration, and ours for laptops."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from models.layers.resampling import Tail
from models.layers.windows import Border, Size


@dataclass(frozen=True)
class Config:
    """Geometry of one GRL.

    Attributes:
        embed_dim: channels C.
        depths: blocks per stage.
        num_heads_window: heads of the window attention, one number per stage.
        num_heads_stripe: heads of the stripe attention, one number per stage.
        window_size: side of a window.
        stripe_size: (h, w) of a stripe in even blocks; odd blocks turn it.
        anchor_factor: how many times coarser than the pixels the anchors are.
        trained_size: side of the training pictures, before scaling; fixes the box of the channel attention.
        mlp_ratio: hidden width of the feed-forward over C.
        local_connection: whether blocks have the convolutional branch with channel attention (CAB).
        in_channels: channels taken.
        out_channels: channels returned.
        scale: output side over input side.
        tail: the reconstruction module; "conv" adds the picture to its output where the channels agree.
        stem: side of the pixel blocks folded into channels before the first convolution (1 in the paper); windows,
            stripes and training pictures are measured in feature pixels.
        picture_skip: add the enlarged picture to the output, so that a small network learns the detail alone.
        border: "reflect", the operator that we train with, or "roll", the released code's cyclic shift.
        whole_image_pool: average the channel attention over the whole picture, as the released code does.
    """

    embed_dim: int = 64
    depths: tuple[int, ...] = (4, 4, 4, 4)
    num_heads_window: tuple[int, ...] = (2, 2, 2, 2)
    num_heads_stripe: tuple[int, ...] = (2, 2, 2, 2)
    window_size: int = 32
    stripe_size: Size = (64, 64)
    anchor_factor: int = 4
    trained_size: int = 64
    mlp_ratio: float = 2.0
    local_connection: bool = False
    in_channels: int = 3
    out_channels: int = 3
    scale: int = 1
    tail: Tail = "conv"
    stem: int = 1
    picture_skip: bool = False
    border: Border = "reflect"
    whole_image_pool: bool = False

    def __post_init__(self) -> None:
        if not len(self.depths) == len(self.num_heads_window) == len(self.num_heads_stripe):
            raise ValueError(
                f"{len(self.depths)} stages, but heads for {self.num_heads_window}, {self.num_heads_stripe}"
            )
        if any(self.embed_dim % (2 * heads) for heads in (*self.num_heads_window, *self.num_heads_stripe)):
            raise ValueError(f"heads do not divide half of {self.embed_dim} channels")
        if self.window_size % 2 or any(side % (2 * self.anchor_factor) for side in self.stripe_size):
            raise ValueError(f"window {self.window_size} or stripe {self.stripe_size} cannot be shifted by half")
        cell = self.trained_size // 2
        if self.local_connection and (self.trained_size % 2 or self.lattice // self.stem % cell):
            raise ValueError(f"half the training size {self.trained_size} does not divide the lattice {self.lattice}")
        if self.stem > 1 and self.tail != "pixelshuffledirect":
            raise ValueError(f"a stem of {self.stem} goes with tail 'pixelshuffledirect', not {self.tail!r}")
        if self.picture_skip and self.in_channels != self.out_channels:
            raise ValueError(f"a picture of {self.in_channels} channels cannot be added to one of {self.out_channels}")

    @property
    def lattice(self) -> int:
        """Smallest side in image pixels that both windows and stripes divide."""
        return self.stem * math.lcm(self.window_size, *self.stripe_size)

    @property
    def least(self) -> int:
        """Smallest multiple of the lattice on which no shifted stripe is alone; the third block of a stage has such."""
        alone = max(self.depths) > 2 and self.lattice <= self.stem * max(self.stripe_size)
        return self.lattice * (2 if alone else 1)

    def as_released(self) -> Config:
        """Return the same network as the authors' code computes it, with cyclic shifts and whole-image averages."""
        return replace(self, border="roll", whole_image_pool=True)


SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"embed_dim": 64},
    "small": {"embed_dim": 128},
    "base": {
        "embed_dim": 180,
        "depths": (4, 4, 8, 8, 8, 4, 4),
        "num_heads_window": (3,) * 7,
        "num_heads_stripe": (3,) * 7,
        "anchor_factor": 2,
        "local_connection": True,
    },
}
# The geometry of each task: windows, stripes and training pictures.
DENOISE: dict[str, Any] = {"window_size": 16, "stripe_size": (64, 128), "trained_size": 128}
DENOISE_BASE: dict[str, Any] = {"window_size": 32, "stripe_size": (64, 128), "trained_size": 128}
UPSCALE: dict[str, Any] = {"window_size": 32, "stripe_size": (64, 64), "trained_size": 64}
DEJPEG: dict[str, Any] = {"window_size": 36, "stripe_size": (72, 144), "trained_size": 144}
DEBLUR: dict[str, Any] = {"stripe_size": (48, 96), "anchor_factor": 4, "trained_size": 96}
DEMOSAIC: dict[str, Any] = {"window_size": 8, "stripe_size": (32, 32), "trained_size": 64}
GRAY: dict[str, Any] = {"in_channels": 1, "out_channels": 1}


def _published() -> dict[str, Config]:
    configs = {}
    for size, shape in SIZES.items():
        denoise = DENOISE_BASE if size == "base" else DENOISE
        configs[f"{size}_denoise_gray"] = Config(**shape | denoise | GRAY)
        configs[f"{size}_denoise_color"] = Config(**shape | denoise)
        for scale in (2, 3, 4):
            kind: Tail = "pixelshuffledirect" if size == "tiny" else "pixelshuffle"
            configs[f"{size}_sr_x{scale}"] = Config(**shape | UPSCALE, scale=scale, tail=kind)
    small, base = SIZES["small"], SIZES["base"]
    configs["small_dejpeg_gray"] = Config(**small | DEJPEG | GRAY)
    configs["small_dejpeg_color"] = Config(**small | DEJPEG)
    configs["small_demosaic"] = Config(**small | DEMOSAIC)
    configs["base_motion_deblur"] = Config(**base | DEBLUR, window_size=12)
    configs["base_defocus_deblur"] = Config(**base | DEBLUR, window_size=16)
    configs["base_dual_pixel_deblur"] = Config(**base | DEBLUR, window_size=16, in_channels=6)
    configs["base_real_sr_x4"] = Config(**base | UPSCALE, scale=4, tail="nearest+conv")
    return configs


def _laptop(scale: int, **shape: Any) -> Config:
    return Config(
        window_size=8, stripe_size=(16, 32), scale=scale, tail="pixelshuffledirect", picture_skip=True, **shape
    )


# Ours, for upscaling on two CPU cores: about 30 kMACs per pixel of the result (the paper's Tiny: 906 at x2).
LAPTOP = {
    "tiny_laptop_x2": _laptop(2, embed_dim=64, depths=(4, 4), num_heads_window=(2, 2), num_heads_stripe=(2, 2), stem=2),
    "tiny_laptop_x3": _laptop(3, embed_dim=48, depths=(4, 4), num_heads_window=(2, 2), num_heads_stripe=(2, 2)),
    "tiny_laptop_x4": _laptop(4, embed_dim=48, depths=(4, 4, 4), num_heads_window=(2,) * 3, num_heads_stripe=(2,) * 3),
}

CONFIGS = _published() | LAPTOP
