"""A real artifact of two convolutions with random weights, for the real runtime: its sums depend on their order."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from service_bench import manifest

from export import manifest as manifests
from export.manifest import Graph

TILE = 64
CHANNELS = (3, 16, 3)


def write(root: Path) -> Path:
    """Write `root/convolutions`; returns `root`."""
    folder = root / "convolutions"
    folder.mkdir(parents=True)
    random = np.random.default_rng(5)
    nodes, weights, last = [], [], "input"
    for index, (before, after) in enumerate(itertools.pairwise(CHANNELS)):
        kernel = random.normal(0, 1 / np.sqrt(9 * before), (after, before, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(kernel, f"kernel{index}"))
        nodes.append(helper.make_node("Conv", [last, f"kernel{index}"], [f"sums{index}"], pads=[1, 1, 1, 1]))
        last = "output" if index == len(CHANNELS) - 2 else f"answers{index}"
        nodes.append(helper.make_node("Sigmoid", [f"sums{index}"], [last]))
    shape = ["batch", 3, TILE, TILE]
    graph = helper.make_graph(
        nodes,
        "convolutions",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        weights,
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "model.onnx"
    )
    digest = manifests.file_sha256(folder / "model.onnx")
    graphs = (Graph(tile=TILE, file="model.onnx", sha256=digest, nodes=len(nodes)),)
    manifests.save(manifest(name="convolutions", graphs=graphs), folder)
    return root
