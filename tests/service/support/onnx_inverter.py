"""A real artifact whose network answers 1 - x, for the real runtime."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper
from service_bench import manifest

from export import manifest as manifests
from export.manifest import Graph

TILE = 64


def write(root: Path) -> Path:
    """Write `root/inverter`; returns `root`."""
    folder = root / "inverter"
    folder.mkdir(parents=True)
    shape = ["batch", 3, TILE, TILE]
    graph = helper.make_graph(
        [helper.make_node("Sub", ["one", "input"], ["output"])],
        "inverter",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)],
        [helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    digest = manifests.file_sha256(folder / "model.onnx")
    manifests.save(manifest(graphs=(Graph(tile=TILE, file="model.onnx", sha256=digest, nodes=1),)), folder)
    return root
