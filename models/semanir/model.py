"""SemanIR: Sharing Key Semantics in Transformer Makes Efficient Image Restoration (Ren et al., NeurIPS 2024)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.layers.colour import colour_mean
from models.layers.resampling import Conv2d, PixelShuffle, tail
from models.network import RestorationNetwork
from models.semanir.body import Body
from models.semanir.config import CONFIGS, Config
from models.semanir.mosaic import LinearDemosaic
from models.semanir.stage import Layer

__all__ = ["CONFIGS", "Config", "SemanIR"]


class SemanIR(RestorationNetwork):
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

    def restore(self, x: Tensor) -> Tensor:
        """Restore (B, C, H, W); see `RestorationNetwork.restore`."""
        x = x - self.mean
        packed = F.pixel_unshuffle(x, self.config.unshuffle).permute(0, 2, 3, 1)
        out: Tensor = self.tail(self._features(self.stem(packed), self._draw_top_k())).permute(0, 3, 1, 2)
        if self.demosaic is not None:
            out = out + self.demosaic(packed).permute(0, 3, 1, 2)
        elif self.scale == 1:
            out = out + x
        out = out + self.mean
        return out

    def _initialise(self) -> None:
        """Every layer begins as the identity (its last norms at zero, as in Swin V2), and so does a picture's skip."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, Layer):
                nn.init.zeros_(module.norm1.weight)
                nn.init.zeros_(module.norm2.weight)
        if self.scale == 1:
            nn.init.zeros_(self.tail.get_parameter("last.weight" if self.config.tail == "conv" else "up0.weight"))

    def _features(self, shallow: Tensor, top_k: int) -> Tensor:
        if not self.config.framed:
            features: Tensor = self.body(shallow, top_k)
            return features
        features = shallow + self.frame(self.norm_out(self.body(self.norm_in(shallow), top_k)))
        return features

    def _draw_top_k(self) -> int:
        """Random top-k (Sec. 3.3): in training, one of the configuration's numbers for each pass."""
        drawn = self.config.train_top_k
        if not (self.training and drawn):
            return self.top_k
        return drawn[int(torch.randint(len(drawn), ()))]
