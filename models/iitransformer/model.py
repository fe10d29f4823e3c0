"""iiTransformer: A Unified Approach to Exploiting Local and Non-Local Information (Kang et al., BMVC 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from imaging.stages import PICTURE
from models.contamination import Chain, Down, Up
from models.iitransformer.attention import InterAttention, IntraAttention
from models.layers.colour import colour_mean
from models.layers.feed_forward import Mlp
from models.layers.resampling import Conv2d, Tail, tail
from models.layers.rows import added, by_rows
from models.layers.windows import Border, Size, Windows
from models.segments import Segment, SegmentedNetwork, declared

Kind = Literal["intra", "inter"]


@dataclass(frozen=True)
class Config:
    """Geometry of one iiTransformer.

    Attributes:
        embed_dim: channels C.
        num_heads: attention heads, one number per stage.
        kinds: the attention of every layer, stage by stage.
        shifts: by how much each layer's patches are shifted, stage by stage, in feature pixels.
        window_size: side M of a patch, in feature pixels.
        trained_size: height and width of the training pictures in feature pixels; fixes how far inter layers see.
        mlp_ratio: hidden width of the feed-forward over C.
        channels: channels of the picture.
        scale: output side over input side.
        tail: the reconstruction module; "conv" adds the picture to its output.
        stem: side of the pixel blocks folded into channels before the first convolution (1 in the paper).
        border: "reflect", the operator that we train with, or "roll", the released code's cyclic shift.
        reference_bias: the released code's bias instead of Eq. 6; needs border="roll".
    """

    embed_dim: int = 180
    num_heads: tuple[int, ...] = (6, 6, 6, 6)
    kinds: tuple[tuple[Kind, ...], ...] = (("intra",) * 8, ("inter",) * 8, ("intra",) * 8, ("inter",) * 8)
    shifts: tuple[tuple[int, ...], ...] = ((0, 4) * 4,) * 4
    window_size: int = 8
    trained_size: Size = (64, 64)
    mlp_ratio: float = 2.0
    channels: int = 3
    scale: int = 1
    tail: Tail = "conv"
    stem: int = 1
    border: Border = "reflect"
    reference_bias: bool = False

    def __post_init__(self) -> None:
        lengths = [len(stage) for stage in self.kinds], [len(stage) for stage in self.shifts]
        if lengths[0] != lengths[1] or len(self.num_heads) != len(self.kinds):
            raise ValueError(
                f"layers per stage: {lengths[0]} kinds, {lengths[1]} shifts, {len(self.num_heads)} stages of heads"
            )
        if any(self.embed_dim % heads for heads in self.num_heads):
            raise ValueError(f"heads {self.num_heads} do not divide {self.embed_dim} channels")
        if any(side % self.window_size or side < 2 * self.window_size for side in self.trained_size):
            raise ValueError(
                f"a training picture of {self.trained_size} is not two or more patches of {self.window_size}"
            )
        if self.reference_bias and self.border != "roll":
            raise ValueError("the released code's bias goes with border='roll'")
        if self.stem > 1 and self.tail != "conv":
            raise ValueError(f"a stem of {self.stem} goes with tail 'conv', not {self.tail!r}")

    def as_released(self) -> Config:
        """Return the same network as the authors' code computes it, cyclic shifts and flat-index bias included."""
        return replace(self, border="roll", reference_bias=True)


CONFIGS = {
    "denoise_color": Config(),
    "denoise_color_128": Config(trained_size=(128, 128)),
    "dejpeg_gray": Config(channels=1),
    "sr_x2": Config(scale=2, tail="pixelshuffle"),
    "sr_x3": Config(scale=3, tail="pixelshuffle"),
    "sr_x4": Config(scale=4, tail="pixelshuffle"),
    # Ours, for JPEG on two CPU cores: at half the resolution, where a JPEG block is 4 x 4 feature pixels. Inter layers
    # see three patches far. 84 kMACs per pixel, where the paper's network needs 11,861.
    "tiny": Config(
        embed_dim=48,
        num_heads=(4, 4, 4, 4),
        kinds=(("intra",) * 2, ("inter",) * 2, ("intra",) * 2, ("inter",) * 2),
        shifts=((0, 4),) * 4,
        trained_size=(32, 32),
        stem=2,
    ),
}


class IITransformer(SegmentedNetwork):
    """Stages of intra or inter layers between two convolutions, after SwinIR."""

    mean: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.in_channels = self.out_channels = config.channels
        self.scale = config.scale
        self.lattice = config.window_size * config.stem
        dim, folded = config.embed_dim, config.channels * config.stem**2
        self.register_buffer("mean", colour_mean(config.channels), persistent=False)
        self.stem = Conv2d(folded, dim, 3, padding=1)
        self.norm_in = nn.LayerNorm(dim)
        self.stages = nn.ModuleList(Stage(config, index) for index in range(len(config.kinds)))
        self.norm_out = nn.LayerNorm(dim)
        self.body = Conv2d(dim, dim, 3, padding=1)
        self.tail = tail(config.tail, dim, folded, config.scale)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    @property
    def least(self) -> int:
        """Two shifted patches on either side, as a single one is a key even where it overhangs; not as released."""
        config = self.config
        layers = zip(chain.from_iterable(config.kinds), chain.from_iterable(config.shifts), strict=True)
        overhang = config.border != "roll" and any(kind == "inter" and shift for kind, shift in layers)
        return self.lattice * (2 if overhang else 1)

    def segments(self) -> Sequence[Segment]:
        """One for each intra layer, two for each inter layer; see `SegmentedNetwork.segments`."""
        stem = self.config.stem
        segments = [
            Segment("shallow", {PICTURE: (Down(stem), *declared(self.stem))}, self._enter),
            Segment("norm_in", {"shallow": ()}, partial(by_rows, self.norm_in)),
        ]
        for index, stage in enumerate(self.stages.children()):
            assert isinstance(stage, Stage)
            segments += stage.segments(f"stage{index}", segments[-1].name)
        tail = (*declared(self.tail), Up(stem))
        last: dict[str, Chain] = {segments[-1].name: (*declared(self.body), *tail), "shallow": tail}
        if self.config.tail == "conv":
            last[PICTURE] = ()
        return [*segments, Segment("restored", last, self._leave)]

    def _enter(self, picture: Tensor) -> Tensor:
        x = picture.permute(0, 3, 1, 2) - self.mean
        shallow: Tensor = self.stem(F.pixel_unshuffle(x, self.config.stem).permute(0, 2, 3, 1))
        return shallow

    def _leave(self, features: Tensor, shallow: Tensor, picture: Tensor | None = None) -> Tensor:
        out: Tensor = self.tail(added(shallow, self.body(self.norm_out(features)))).permute(0, 3, 1, 2)
        out = F.pixel_shuffle(out, self.config.stem)
        if picture is not None:
            out = picture.permute(0, 3, 1, 2) - self.mean + out
        return (out + self.mean).permute(0, 2, 3, 1)


class Stage(nn.Module):
    """A residual transformer block of the paper (aRTB or eRTB): layers, a convolution, and the skip around them."""

    def __init__(self, config: Config, index: int) -> None:
        super().__init__()
        layers = zip(config.kinds[index], config.shifts[index], strict=True)
        self.layers = nn.Sequential(*(Layer(config, kind, config.num_heads[index], shift) for kind, shift in layers))
        self.conv = Conv2d(config.embed_dim, config.embed_dim, 3, padding=1)

    def segments(self, name: str, read: str) -> list[Segment]:
        """From the map `read` on; the last segment is named `name`."""
        segments: list[Segment] = []
        source = read
        for index, layer in enumerate(self.layers.children()):
            assert isinstance(layer, Layer)
            segments += layer.segments(f"{name}.{index}", source)
            source = segments[-1].name
        skip: dict[str, Chain] = {source: declared(self.conv), read: ()}
        return [*segments, Segment(name, skip, lambda features, x: added(x, self.conv(features)))]


class Layer(nn.Module):
    """Attention and feed-forward, both pre-norm."""

    def __init__(self, config: Config, kind: Kind, num_heads: int, shift: int) -> None:
        super().__init__()
        size = config.window_size
        patches = Windows((size, size), (shift, shift), config.border)
        reach = config.trained_size[0] // size, config.trained_size[1] // size
        self.norm1 = nn.LayerNorm(config.embed_dim)
        self.attention: IntraAttention | InterAttention = (
            IntraAttention(config.embed_dim, num_heads, patches)
            if kind == "intra"
            else InterAttention(config.embed_dim, num_heads, patches, reach, reference_bias=config.reference_bias)
        )
        self.norm2 = nn.LayerNorm(config.embed_dim)
        self.mlp = Mlp(config.embed_dim, config.mlp_ratio)

    def segments(self, name: str, read: str) -> list[Segment]:
        """From the map `read` to the map `name`; far-reaching attention stands alone, before what is done per pixel."""
        attention = self.attention
        if isinstance(attention, IntraAttention):
            return [Segment(name, {read: ()}, self._whole, lambda: attention.chain)]
        attended = f"{name}.attended"
        joined: dict[str, Chain] = {read: (), attended: ()}
        return [
            Segment(attended, {read: ()}, self._attend, lambda: attention.chain, attention.single),
            Segment(name, joined, lambda x, out: self._feed_forward(x + attention.proj(out))),
        ]

    def _attend(self, x: Tensor) -> Tensor:
        assert isinstance(self.attention, InterAttention)
        return self.attention.attend(self.norm1(x))

    def _whole(self, x: Tensor) -> Tensor:
        return self._feed_forward(x + self.attention(self.norm1(x)))

    def _feed_forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.mlp(self.norm2(x))
        return out
