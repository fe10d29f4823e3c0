"""A network becomes one ONNX graph for each of its segments, each checked against torch on a real tile."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from export import pictures, runners, staged
from export.manifest import file_sha256
from export.staged import Stage, Staged
from export.to_onnx import OPSET, ExportError, _simplify
from imaging.staged import PICTURE, Run
from models.count import MacCounter
from models.segments import Segment, SegmentedNetwork, stages

TILE = 512
MAX_ERROR = 1e-4  # of a map's values, relative where they exceed 1


def export(
    network: SegmentedNetwork,
    folder: Path,
    weights_sha256: str,
    tile: int = TILE,
    on_step: Callable[[str], object] = lambda step: None,
) -> Staged:
    """Write the graphs of all segments and `staged.json` into `folder`.

    Args:
        network: folded, in evaluation mode, float32.
        folder: the artifact's.
        weights_sha256: of the weights that the network holds.
        tile: side of the tiles in picture pixels; raised to a multiple of the network's lattice.
        on_step: told in a few words what begins.

    Raises:
        ExportError: a graph is not its segment; the message names it.
    """
    tile = -(-tile // network.lattice) * network.lattice
    maps, macs = walk(network, _example(network, tile))
    described, worst = [], 0.0
    for index, stage in enumerate(stages(network)):
        on_step(f"translating {stage.name}")
        path = folder / f"staged-{tile}-{index:02}.onnx"
        read = [maps[name] for name in stage.reads]
        _translate(network, index, read, path)
        error = _error(maps[stage.name].numpy(), runners.load("onnx", path)(*(one.numpy() for one in read)))
        if not error <= MAX_ERROR:
            raise ExportError(f"the graph of {stage.name} is off by {error:.1e} (at most {MAX_ERROR:.0e} is allowed)")
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
                macs=macs[stage.name],
            )
        )
    description = Staged(
        weights_sha256=weights_sha256,
        tile=tile,
        lattice=network.lattice,
        in_channels=network.in_channels,
        max_abs=worst,
        stages=tuple(described),
    )
    staged.save(description, folder)
    return description


def walk(network: SegmentedNetwork, picture: Tensor) -> tuple[dict[str, Tensor], dict[str, int]]:
    """Every map of a picture (B, H, W, C), and the multiply-accumulates that each one took, by name."""
    maps, macs = {PICTURE: picture}, {}
    with torch.no_grad(), MacCounter(picture) as counter:
        for segment in network.segments():
            before = counter.macs
            maps[segment.name] = segment.compute(*(maps[name] for name in segment.reads)).contiguous()
            macs[segment.name] = counter.macs - before
    return maps, macs


def torch_runs(network: SegmentedNetwork) -> Mapping[str, Run]:
    """Each segment computed by torch, where the network's weights are; for `imaging.staged`."""
    device = next(network.parameters()).device

    def runner(segment: Segment) -> Run:
        def run(*maps: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                answer = segment.compute(*(torch.from_numpy(one).to(device) for one in maps))
            return answer.cpu().numpy()

        return run

    return {segment.name: runner(segment) for segment in network.segments()}


def _example(network: SegmentedNetwork, tile: int) -> Tensor:
    chosen = pictures.photographs(1, tile, network.in_channels) or [pictures.dead_leaves(tile, network.in_channels)]
    return torch.from_numpy(chosen[0][None])


def _translate(network: SegmentedNetwork, index: int, maps: list[Tensor], path: Path) -> None:
    traced = path.with_suffix(".traced.onnx")
    names = [f"map{place}" for place in range(len(maps))]
    # Two of each, so that a batch cannot be taken for a constant.
    examples = tuple(one.clone().repeat(2, 1, 1, 1) for one in maps)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Compute(network, index).eval(),
            examples,
            traced,
            input_names=names,
            output_names=["answer"],
            dynamic_axes={name: {0: "batch"} for name in (*names, "answer")},
            opset_version=OPSET,
            dynamo=False,
        )
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
