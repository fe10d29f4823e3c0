"""A network becomes one ONNX graph for each of its segments, each checked against torch on a real tile."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from export import pictures, runners, staged
from export.manifest import file_sha256
from export.staged import Stage, Staged
from export.to_onnx import OPSET, ExportError, _simplify, read_whole
from imaging.flow import Run
from imaging.staged import restore
from imaging.stages import PICTURE, layout
from imaging.stages import Stage as Geometry
from models.count import MacCounter
from models.segments import SegmentedNetwork, stages

MAX_ERROR: Final = 1e-4  # of a map's values, relative where they exceed 1


def export(
    network: SegmentedNetwork, folder: Path, weights_sha256: str, on_step: Callable[[str], object] = lambda step: None
) -> Staged:
    """Write the graphs of all segments and `staged.json` into `folder`; they take maps of any size.

    Args:
        network: folded, in evaluation mode, float32.
        folder: the artifact's.
        weights_sha256: of the weights that the network holds.
        on_step: told in a few words what begins.

    Raises:
        ExportError: a graph is not its segment; the message names it.
    """
    plain = stages(network)
    side = _side(network, plain)
    traced, macs = walk(network, _example(network, side, side))
    # What a trace took for a constant shows on a map of another size, shape and number.
    other, _ = walk(network, _example(network, side + network.lattice, 2 * side + network.lattice))
    described, worst = [], 0.0
    for index, stage in enumerate(plain):
        on_step(f"translating {stage.name}")
        path = folder / f"staged-{index:02}.onnx"
        examples = [traced[name] for name in stage.reads]
        if stage.cell:
            examples = [_corner(one, stage.measure(stage.cell)) for one in examples]
        _translate(network, index, examples, path)
        run = runners.load("onnx", path)
        for maps in (traced, other):
            error = _error(maps[stage.name].numpy(), _answer(run, stage, [maps[name] for name in stage.reads]))
            if not error <= MAX_ERROR:
                raise ExportError(f"the graph of {stage.name} is off by {error:.1e} (at most {MAX_ERROR:.0e})")
            worst = max(worst, error)
        described.append(
            Stage(
                name=stage.name,
                reads=stage.reads,
                lattice=stage.lattice,
                halo=stage.halo,
                single=stage.single,
                down=stage.down,
                up=stage.up,
                file=path.name,
                sha256=file_sha256(path),
                macs=macs[stage.name] / (stage.cell or side) ** 2,
                cell=stage.cell,
            )
        )
    description = Staged(
        weights_sha256=weights_sha256,
        lattice=network.lattice,
        in_channels=network.in_channels,
        max_abs=worst,
        stages=tuple(described),
    )
    staged.save(description, folder)
    return description


def _side(network: SegmentedNetwork, plain: Sequence[Geometry]) -> int:
    """Side of an example on which no layer is in a special case for small maps: all reach across, none is single."""
    least = max(max(6 * stage.halo, stage.single + 1) for stage in plain)
    return max(-(-least // network.lattice), 2) * network.lattice


def walk(network: SegmentedNetwork, picture: Tensor) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Every map of a picture (B, H, W, C), and the multiply-accumulates that each one took, or one cell of it."""
    maps: dict[str, Tensor] = {PICTURE: picture}
    macs: dict[str, float] = {}
    with torch.no_grad(), MacCounter(picture) as counter:
        for segment in network.segments():
            before = counter.macs
            read = [maps[name] for name in segment.reads]
            maps[segment.name] = segment.compute(*read).contiguous()
            if segment.cell:
                before = counter.macs
                segment.compute(*(_corner(one, segment.cell) for one in read))
            macs[segment.name] = counter.macs - before
    return maps, macs


def _corner(one: Tensor, side: int) -> Tensor:
    return one[:, :side, :side]


def _answer(run: Run, stage: Geometry, maps: list[Tensor]) -> np.ndarray:
    """The map that a stage's graph gives for others (B, H, W, C); of cells, faded into one another."""
    arrays = [one.numpy() for one in maps]
    if not stage.cell:
        return run(*arrays)
    (read,) = arrays
    alone = Geometry(stage.name, (PICTURE,), lattice=1, halo=0, cell=stage.measure(stage.cell))
    height, width = read.shape[1:3]
    plan = layout(height, width, (alone,), tile=0, lattice=alone.cell)
    return np.stack([restore(one, {stage.name: run}, plan) for one in read])


def _example(network: SegmentedNetwork, height: int, width: int) -> Tensor:
    picture = pictures.dead_leaves(max(height, width), network.in_channels)
    return torch.from_numpy(picture[None, :height, :width])


def _translate(network: SegmentedNetwork, index: int, maps: list[Tensor], path: Path) -> None:
    traced = path.with_suffix(".traced.onnx")
    names = [f"map{place}" for place in range(len(maps))]
    # Two of each, so that a batch cannot be taken for a constant.
    examples = tuple(one.clone().repeat(2, 1, 1, 1) for one in maps)
    free = ("batch",) if network.segments()[index].cell else ("batch", "rows", "columns")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Compute(network, index).eval(),
            examples,
            traced,
            input_names=names,
            output_names=["answer"],
            dynamic_axes={
                name: {axis: side if not axis else f"{side} of {name}" for axis, side in enumerate(free)}
                for name in (*names, "answer")
            },
            opset_version=OPSET,
            dynamo=False,
        )
    with read_whole(path):
        _simplify(traced, path)
    traced.unlink()


def _error(expected: np.ndarray, found: np.ndarray) -> float:
    if expected.shape != found.shape:
        return float("inf")
    return float(np.abs(expected - found).max() / max(1.0, float(np.abs(expected).max())))


class _Compute(nn.Module):
    """One segment as a module's forward, which is what the exporter traces."""

    def __init__(self, network: SegmentedNetwork, index: int) -> None:
        super().__init__()
        self.network, self.index = network, index

    def forward(self, *maps: Tensor) -> Tensor:
        return self.network.segments()[self.index].compute(*maps)
