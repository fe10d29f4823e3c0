"""SemanIR's body: stages in a column, or down and up the levels of a U."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from models.contamination import Chain
from models.layers.resampling import Conv2d, ConvTranspose2d
from models.layers.rows import beside
from models.layers.windows import Windows
from models.segments import Segment, declared
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

    def segments(self, read: str, top_k: int) -> list[Segment]:
        """From the map `read` on; every token attends to `top_k` others of its window."""
        segments: list[Segment] = []
        skips: list[str] = []
        for level, stages in enumerate(self.down):
            if level:
                shrink = self.shrink[level - 1]
                segments.append(Segment(f"shrink{level}", {skips[-1]: declared(shrink)}, shrink))
                read = segments[-1].name
            read = _run(segments, f"down{level}", read, stages, top_k)
            skips.append(read)
        for level in reversed(range(len(self.up))):
            if level < len(self.grow):
                joined: dict[str, Chain] = {read: declared(self.grow[level]), skips[level]: ()}
                join = partial(_join, self.grow[level], self.fuse[level])
                segments.append(Segment(f"fuse{level}", joined, join))
                read = segments[-1].name
            read = _run(segments, f"up{level}", read, self.up[level], top_k)
        _run(segments, "final", read, self.final, top_k)
        return segments

    def _stages(self, dim: int, level: int, depths: Depths) -> nn.ModuleList:
        config, size = self.config, self.config.window_size
        stages = nn.ModuleList()
        for depth in depths:
            half = size // 2 * (self._stages_made % 2)  # every second stage of the network shifts its windows
            self._stages_made += 1
            windows = Windows((size, size), (half, half))
            stages.append(Stage(dim, config.num_heads[level], depth, windows, config.mlp_ratio, config.bias_hidden))
        return stages


def _join(grow: nn.Module, fuse: nn.Module, below: Tensor, skip: Tensor) -> Tensor:
    out: Tensor = fuse(beside(grow(below), skip))
    return out


def _run(segments: list[Segment], name: str, read: str, stages: nn.Module, top_k: int) -> str:
    """Add the segments of several stages; returns the map they end in, `read` where there are none."""
    for index, stage in enumerate(stages.children()):
        assert isinstance(stage, Stage)
        segments += stage.segments(f"{name}.{index}", read, top_k)
        read = segments[-1].name
    return read
