"""KiT's geometry: the published configuration, and ours for laptops."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Geometry of one KiT.

    Level l, counted from 0, works on maps 2^(l+1) times smaller than the picture with 2^l * dim channels.

    Attributes:
        dim: channels C of the first level.
        depths: blocks per stage, the encoder's stages first, the bottleneck last; the decoder mirrors the encoder.
        head_dim: channels per attention head.
        patch: side r of a patch in pixels of its map.
        neighbours: k, patches per chunk.
        bottleneck_neighbours: k in the bottleneck.
        rounds: hash rounds h.
        buckets: hash values; fixed, so that a picture's size changes no hash.
        cell: image pixels along a cell, inside which patches are hashed and sorted; the side of the training crops.
        mlp_ratio: hidden width of the feed-forward over the channels.
        fused: bring the concatenation with the encoder back to C channels, instead of decoding on 2C.
        shuffled: one convolution and a pixel shuffle at either end, instead of three convolutions.
        in_channels: channels taken and returned.
    """

    dim: int = 64
    depths: tuple[int, ...] = (2, 2, 2, 2)
    head_dim: int = 64
    patch: int = 4
    neighbours: int = 4
    bottleneck_neighbours: int = 1
    rounds: int = 4
    buckets: int = 8
    cell: int = 128
    mlp_ratio: float = 4.0
    fused: bool = False
    shuffled: bool = False
    in_channels: int = 3

    def __post_init__(self) -> None:
        if self.dim % self.head_dim:
            raise ValueError(f"heads of {self.head_dim} channels do not divide {self.dim} channels")
        if self.cell % (self.patch << (self.levels + 1)):
            raise ValueError(f"a cell of {self.cell} pixels holds no whole patches of {self.patch} at every level")
        if self.buckets % 2:
            raise ValueError(f"{self.buckets} buckets are not half a direction and half its opposite")

    @property
    def levels(self) -> int:
        """Encoder stages, and decoder stages; the bottleneck lies below them."""
        return len(self.depths) - 1

    def num_heads(self, dim: int) -> int:
        """Heads on a map of `dim` channels."""
        return dim // self.head_dim

    def cell_at(self, level: int) -> int:
        """Side of a cell in pixels of a level's map."""
        return self.cell >> (level + 1)


# The paper prints neither channels nor counts. These give 20.56 M parameters and 44.3 GMACs at 256x256, which later
# papers quote as 20.6 M and 43.1 GMACs.
PUBLISHED = Config()

# For laptops: 0.79 M parameters, 37 kMACs for a pixel. Most blocks lie where a map's channels hold all of the picture's
# pixels, and neighbours are few: their attention would take most of a step, and with few a run learns more in its time.
TINY = Config(
    dim=32,
    depths=(1, 4, 2),
    head_dim=32,
    neighbours=1,
    rounds=1,
    mlp_ratio=2.0,
    fused=True,
    shuffled=True,
)

CONFIGS: dict[str, Config] = {"kit": PUBLISHED, "tiny_deblur": TINY}
