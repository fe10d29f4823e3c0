"""SemanIR's geometry: every published configuration, and ours for laptops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.layers.resampling import Tail

Depths = tuple[int, ...]  # layers of each stage at one level


@dataclass(frozen=True)
class Config:
    """Geometry of one SemanIR.

    A level halves the size and doubles the channels of the one before it. One level makes the columnar form; several
    make the U-shape, whose way up runs through the same levels, joined to the way down by concatenation.

    Attributes:
        dim: channels C of the first level.
        num_heads: attention heads, one number per level.
        down: for each level, the layers of each of its stages.
        up: likewise on the way back, also counted from the first level; one shorter than or as long as `down`.
        final: layers of each stage after the way up, on the first level.
        wide: keep the 2C channels of the first level's concatenation for its stages on the way up and the final ones.
        framed: a LayerNorm before and after the body, a 3x3 convolution behind it, and a skip from the stem.
        window_size: side of the windows, on every level's own map.
        top_k: keys per token at inference; what is stored here can be changed on the network.
        train_top_k: during training each pass draws its number of keys from these; none means `top_k`.
        mlp_ratio: hidden width of the feed-forward over C.
        bias_hidden: hidden width of the position bias's MLP.
        unshuffle: pixels of so many by so many are packed into channels before the stem.
        tail: the reconstruction module.
        in_channels: channels taken; 1 with out_channels 3 is an RGGB mosaic.
        out_channels: channels returned.
        scale: output side over input side.
    """

    dim: int
    num_heads: tuple[int, ...]
    down: tuple[Depths, ...]
    up: tuple[Depths, ...] = ()
    final: Depths = ()
    wide: bool = False
    framed: bool = True
    window_size: int = 32
    top_k: int = 512
    train_top_k: tuple[int, ...] = (64, 128, 192, 256, 384, 512)
    mlp_ratio: float = 2.0
    bias_hidden: int = 512
    unshuffle: int = 1
    tail: Tail = "conv"
    in_channels: int = 3
    out_channels: int = 3
    scale: int = 1

    def __post_init__(self) -> None:
        levels = len(self.down)
        if not levels or len(self.num_heads) != levels or (levels > 1 and len(self.up) not in (levels - 1, levels)):
            raise ValueError(f"{levels} levels down, {len(self.up)} up and heads {self.num_heads} do not go together")
        if self.window_size % 2:
            raise ValueError(f"window {self.window_size} cannot be shifted by half")
        if self.window_size < 4:
            raise ValueError(
                f"a window of {self.window_size} pixels leaves tokens without a key where a picture is filled up"
            )
        if self.mosaic and self.unshuffle != 2:
            raise ValueError(f"a mosaic is packed by 2, not by {self.unshuffle}")
        if self.in_channels != self.out_channels and not self.mosaic:
            raise ValueError(f"{self.in_channels} channels do not become {self.out_channels}")
        for top_k in (self.top_k, *self.train_top_k):
            self.check_top_k(top_k)

    def check_top_k(self, top_k: int) -> None:
        """Raise ValueError unless a token can attend to so many others of its window."""
        others = self.window_size**2 - 1
        if not 1 <= top_k <= others:
            raise ValueError(f"top_k is {top_k}; a window of {self.window_size} allows 1 to {others}")

    @property
    def mosaic(self) -> bool:
        """Whether the input is an RGGB mosaic and the output its three colours."""
        return (self.in_channels, self.out_channels) == (1, 3)

    @property
    def lattice(self) -> int:
        """Input pixels that a window of the coarsest level spans."""
        return self.window_size * self.unshuffle << (len(self.down) - 1)


COLUMNAR: dict[str, dict[str, Any]] = {
    "small": {"dim": 180, "num_heads": (6,), "down": ((6,) * 6,)},
    "base": {"dim": 180, "num_heads": (6,), "down": ((8,) * 8,)},
}

# The paper states the stages, 25.82 M parameters and 135.26 GMACs, not the widths. These are Restormer's: C = 48
# doubling, 16 channels per head, the first level's way up and the final stage on 2C. It makes 25.75 M parameters, and
# 134.5 GMACs in convolutions and linear layers at 256x256, attention's own products not counted.
U_SHAPE = Config(
    dim=48, num_heads=(3, 6, 12, 24), down=((6,),) * 4, up=((6,),) * 4, final=(6,), wide=True, framed=False
)

# For laptops: half the picture's resolution and less, 0.82 M parameters, 84 kMACs for a pixel. The way down has no
# attention at the first level, so only one dictionary is found there, and it serves three layers.
TINY: dict[str, Any] = {
    "dim": 48,
    "num_heads": (2, 4),
    "down": ((), (3, 3)),
    "up": ((3,),),
    "window_size": 8,
    "top_k": 32,
    "train_top_k": (16, 24, 32, 48),
    "bias_hidden": 64,
    "unshuffle": 2,
    "tail": "pixelshuffledirect",
}

CONFIGS: dict[str, Config] = {
    f"{size}_sr_x{scale}": Config(**shape, scale=scale, tail="pixelshuffle")
    for size, shape in COLUMNAR.items()
    for scale in (2, 3, 4)
} | {"u_shape": U_SHAPE, "tiny_denoise": Config(**TINY), "tiny_demosaic": Config(**TINY, in_channels=1)}
