"""SemanIR's body: stages in a column, or down and up the levels of a U."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.layers.resampling import Conv2d, ConvTranspose2d
from models.layers.windows import Windows
from models.semanir.config import Config, Depths
from models.semanir.stage import Stage


class Body(nn.Module):
    """(B, H, W, C) to (B, H, W, `dim`), through every stage of a configuration.

    Attributes:
        dim: channels at the end: C, or 2C where the configuration is wide.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self._stages_made = 0
        levels = range(len(config.down))
        widths = [config.dim << level for level in levels]
        self.down = nn.ModuleList(self._stages(widths[level], level, config.down[level]) for level in levels)
        self.shrink = nn.ModuleList(Conv2d(dim, 2 * dim, 4, stride=2, padding=1) for dim in widths[:-1])
        wide = [2 * dim if config.wide and level == 0 else dim for level, dim in enumerate(widths)]
        self.up = nn.ModuleList()
        self.grow, self.fuse = nn.ModuleList(), nn.ModuleList()
        for level in reversed(range(len(config.up))):  # as they run, so that the shifts alternate
            self.up.insert(0, self._stages(wide[level], level, config.up[level]))
        for level in levels[:-1]:
            dim = widths[level]
            self.grow.append(ConvTranspose2d(2 * dim, dim, 2, stride=2))
            self.fuse.append(nn.Linear(2 * dim, dim) if wide[level] == dim else nn.Identity())
        self.dim = wide[0]
        self.final = self._stages(self.dim, 0, config.final)

    def forward(self, x: Tensor, top_k: int) -> Tensor:
        """Run the stages; every token attends to `top_k` others of its window."""
        skips = []
        for level, stages in enumerate(self.down):
            x = self.shrink[level - 1](x) if level else x
            x = _run(stages, x, top_k)
            skips.append(x)
        for level in reversed(range(len(self.up))):
            if level < len(self.grow):
                x = self.fuse[level](torch.cat((self.grow[level](x), skips[level]), dim=-1))
            x = _run(self.up[level], x, top_k)
        return _run(self.final, x, top_k)

    def _stages(self, dim: int, level: int, depths: Depths) -> nn.ModuleList:
        config, size = self.config, self.config.window_size
        stages = nn.ModuleList()
        for depth in depths:
            half = size // 2 * (self._stages_made % 2)  # every second stage of the network shifts its windows
            self._stages_made += 1
            windows = Windows((size, size), (half, half))
            stages.append(Stage(dim, config.num_heads[level], depth, windows, config.mlp_ratio, config.bias_hidden))
        return stages


def _run(stages: nn.Module, x: Tensor, top_k: int) -> Tensor:
    for stage in stages.children():
        x = stage(x, top_k)
    return x
