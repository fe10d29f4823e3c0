"""SemanIR: Sharing Key Semantics in Transformer Makes Efficient Image Restoration (Ren et al., NeurIPS 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imaging.stages import PICTURE
from models.contamination import Chain, Down
from models.layers.colour import colour_mean
from models.layers.resampling import Conv2d, PixelShuffle, tail
from models.layers.rows import added
from models.segments import Segment, SegmentedNetwork, declared
from models.semanir.body import Body
from models.semanir.config import CONFIGS, Config
from models.semanir.mosaic import LinearDemosaic
from models.semanir.stage import Layer

__all__ = ["CONFIGS", "Config", "SemanIR"]


class SemanIR(SegmentedNetwork):
    """Stem, body, tail, and the picture itself added where output and input have the same size."""

    mean: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.in_channels, self.out_channels = config.in_channels, config.out_channels
        self.scale, self.lattice = config.scale, config.lattice
        self._top_k = config.top_k
        packed = config.in_channels * config.unshuffle**2
        self.register_buffer("mean", colour_mean(config.in_channels), persistent=False)
        self.stem = Conv2d(packed, config.dim, 3, padding=1)
        self.body = Body(config)
        dim = self.body.dim
        if config.framed:
            self.norm_in, self.norm_out = nn.LayerNorm(config.dim), nn.LayerNorm(dim)
            self.frame = Conv2d(dim, config.dim, 3, padding=1)
            dim = config.dim
        self.tail = tail(config.tail, dim, config.out_channels, config.scale * config.unshuffle)
        self.demosaic = nn.Sequential(LinearDemosaic(), PixelShuffle(2)) if config.mosaic else None
        self._initialise()

    @property
    def top_k(self) -> int:
        """How many keys each token attends to outside of training; may be set, from 1 to all others of a window."""
        return self._top_k

    @top_k.setter
    def top_k(self, value: int) -> None:
        self.config.check_top_k(value)
        self._top_k = value

    def segments(self) -> Sequence[Segment]:
        """Two for each stage, and those that lead from level to level; see `SegmentedNetwork.segments`."""
        config = self.config
        packing = Down(config.unshuffle)
        segments = [Segment("shallow", {PICTURE: (packing, *declared(self.stem))}, self._enter)]
        if config.framed:
            segments.append(Segment("norm_in", {"shallow": ()}, self.norm_in))
        segments += self.body.segments(segments[-1].name, self._draw_top_k())
        tail = declared(self.tail)
        if config.framed:
            framed: dict[str, Chain] = {segments[-1].name: declared(self.frame), "shallow": ()}
            segments.append(Segment("framed", framed, lambda x, shallow: added(shallow, self.frame(self.norm_out(x)))))
        last: dict[str, Chain] = {segments[-1].name: tail}
        if self.demosaic is not None:
            last[PICTURE] = (packing, *declared(self.demosaic))
        elif self.scale == 1:
            last[PICTURE] = ()
        return [*segments, Segment("restored", last, self._leave)]

    def _enter(self, picture: Tensor) -> Tensor:
        shallow: Tensor = self.stem(self._packed(picture))
        return shallow

    def _packed(self, picture: Tensor) -> Tensor:
        x = picture.permute(0, 3, 1, 2) - self.mean
        return F.pixel_unshuffle(x, self.config.unshuffle).permute(0, 2, 3, 1)

    def _leave(self, features: Tensor, picture: Tensor | None = None) -> Tensor:
        out: Tensor = self.tail(features).permute(0, 3, 1, 2)
        if picture is not None and self.demosaic is not None:
            out = out + self.demosaic(self._packed(picture)).permute(0, 3, 1, 2)
        elif picture is not None:
            out = out + (picture.permute(0, 3, 1, 2) - self.mean)
        return (out + self.mean).permute(0, 2, 3, 1)

    def _initialise(self) -> None:
        """Every layer begins as the identity, its last norms at zero, as in Swin V2."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, Layer):
                nn.init.zeros_(module.norm1.weight)
                nn.init.zeros_(module.norm2.weight)

    def _draw_top_k(self) -> int:
        """Random top-k (Sec. 3.3): in training, one of the configuration's numbers for each pass."""
        drawn = self.config.train_top_k
        if not (self.training and drawn):
            return self.top_k
        return drawn[int(torch.randint(len(drawn), ()))]
