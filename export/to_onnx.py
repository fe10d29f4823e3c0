"""A network becomes an ONNX graph: one static tile size, any batch, opset 20, external names `input` and `output`.

Static sides let every runtime plan its memory and fold shapes, masks and bias tables into constants; opset 20 is the
newest one that every target takes (23 emits `Attention`, which TensorRT-RTX refuses in float32). Each graph of the
ladder holds the weights itself: one file is one thing to hash, cache, copy and hand to any runtime, and the largest
network's is 130 MB.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from models.network import RestorationNetwork

OPSET = 20
INPUT, OUTPUT = "input", "output"


class ExportError(ValueError):
    """A network cannot be exported, or its graph is not the network; the message says where."""


def export(network: RestorationNetwork, path: Path, tile: int) -> int:
    """Write the graph of `network.restore` for tiles of (N, in_channels, tile, tile) and return its number of nodes.

    Raises ExportError if the lattice does not divide the tile.
    """
    if tile % network.lattice:
        raise ExportError(f"tile {tile} is no multiple of the lattice {network.lattice}")
    traced = path.with_suffix(".traced.onnx")
    _trace(network, traced, tile)
    _simplify(traced, path)
    traced.unlink()
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return len(model.graph.node)


def _trace(network: RestorationNetwork, path: Path, tile: int) -> None:
    # The tracing exporter, not the one on top of torch.export: it takes 1 s instead of 17 for a graph that is as fast.
    # What a trace may get wrong (a batch or a branch taken for a constant) parity measures, at two batch sizes.
    parameter = next(network.parameters())
    example = torch.zeros(2, network.in_channels, tile, tile, device=parameter.device)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Restore(network).eval(),
            (example,),
            path,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "batch"}, OUTPUT: {0: "batch"}},
            opset_version=OPSET,
            dynamo=False,
        )


def _simplify(traced: Path, path: Path) -> None:
    """Fold constants and drop dead nodes; ONNX Runtime's basic level writes standard operators only."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    ort.InferenceSession(traced, options, providers=["CPUExecutionProvider"])


class _Restore(nn.Module):
    """`restore` as a module's forward, which is what the exporter traces."""

    def __init__(self, network: RestorationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.restore(x)
