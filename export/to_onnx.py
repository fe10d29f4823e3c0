"""A network becomes an ONNX graph: one static tile size, any batch, opset 20, external names `input` and `output`.

Static sides let every runtime plan its memory and fold shapes, masks and bias tables into constants; opset 20 is the
newest one that every target takes (23 emits `Attention`, which TensorRT-RTX refuses in float32). Each graph of the
ladder holds the weights itself: one file is one thing to hash, cache, copy and hand to any runtime, and the largest
network's is 130 MB.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime as ort
import torch
from google.protobuf.message import DecodeError
from onnxruntime.capi.onnxruntime_pybind11_state import InvalidArgument, InvalidProtobuf
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from export import custom_operator
from export.manifest import Precision
from export.precision import lower
from models.network import RestorationNetwork

OPSET = 20
OPSET_BF16 = 22  # the first one whose convolutions may be bfloat16; what else a graph of ours holds means the same
INPUT, OUTPUT = "input", "output"


class ExportError(ValueError):
    """A network cannot be exported, or its graph is not the network; the message says where."""


def export(network: RestorationNetwork, path: Path, tile: int, precision: Precision = "fp32") -> int:
    """Write the graph of `network.restore` for tiles of (N, in_channels, tile, tile) and return its number of nodes.

    Pictures are float32 at either end whatever the precision between (see `export.precision`).
    Raises ExportError if the lattice does not divide the tile, or the disk is full.
    """
    if tile % network.lattice:
        raise ExportError(f"tile {tile} is no multiple of the lattice {network.lattice}")
    traced = path.with_suffix(".traced.onnx")
    _trace(lower(network, precision), traced, tile)
    with read_whole(path):
        if precision == "fp32":
            _simplify_around(traced, path)
            traced.unlink()
        else:  # ONNX Runtime would write casts to what its CPU kernels take; TensorRT folds constants by itself
            _define_our_operator(traced, path)
        if precision == "bf16":
            _declare(path, OPSET_BF16)
        model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    return len(model.graph.node)


@contextmanager
def read_whole(path: Path) -> Iterator[None]:
    """Read what was just written on the way to `path`; PyTorch's exporter cuts files short without a word.

    Raises ExportError if a file is no ONNX graph.
    """
    try:
        yield
    except (InvalidArgument, InvalidProtobuf, DecodeError) as error:
        free = shutil.disk_usage(path.parent).free >> 20
        raise ExportError(f"{path} cannot be written; its disk has {free} MiB left") from error


def widened(path: Path) -> onnx.ModelProto:
    """The graph with float32 in place of bfloat16, for which ONNX Runtime has no kernels on the CPU."""
    model = onnx.load(path)
    narrow, wide = onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT
    tensors = list(model.graph.initializer)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "to" and attribute.i == narrow:
                attribute.i = wide
            elif attribute.HasField("t"):
                tensors.append(attribute.t)
    for tensor in tensors:
        if tensor.data_type == narrow:
            values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    del model.graph.value_info[:]
    return model


def _trace(network: RestorationNetwork, path: Path, tile: int) -> None:
    # The tracing exporter, not the one on top of torch.export: it takes 1 s instead of 17 for a graph that is as fast.
    # What a trace may get wrong (a batch or a branch taken for a constant) parity measures, at another batch size.
    _name_scopes(network)
    parameter = next(network.parameters())
    example = torch.zeros(1, network.in_channels, tile, tile, device=parameter.device)
    with torch.no_grad(), warnings.catch_warnings(), _StaticSides():
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


class _StaticSides(TorchFunctionMode):
    """Lets a trace take all dimensions but the first one for constants.

    Batch and windows come first in every tensor of ours, and they alone grow with the batch. Left to itself, the trace
    computes every mask, bias and shape from the sides at run time: twice the nodes, and none of them can be folded.
    """

    def __torch_function__(
        self, function: Any, _types: Any, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        answer = function(*arguments, **(named or {}))
        if getattr(function, "__self__", None) is torch.Tensor.shape:
            return (*answer[:1], *map(int, answer[1:]))
        return answer


def _name_scopes(network: nn.Module) -> None:
    """Have every node's name begin with the whole path of its module, also where the module's parents are not called.

    The exporter names nodes after the calls around them, and segments call attentions and norms by themselves.
    """
    called = [""]

    def enter(name: str) -> Callable[[nn.Module, object], None]:
        def hook(_module: nn.Module, _inputs: object) -> None:
            parent = name.rpartition(".")[0]
            scope = torch._C._jit_onnx_create_full_scope_name("", parent)
            skipped.append(parent != called[-1])
            if skipped[-1]:
                torch._C._get_tracing_state().push_scope(scope)
            called.append(name)

        return hook

    def leave(_module: nn.Module, _inputs: object, _output: object) -> None:
        called.pop()
        if skipped.pop():
            torch._C._get_tracing_state().pop_scope()

    skipped: list[bool] = []
    for name, module in network.named_modules():
        if name:
            module.register_forward_pre_hook(enter(name))
            module.register_forward_hook(leave)


def _simplify_around(traced: Path, path: Path) -> None:
    """Simplify what lies around the nodes of our own operator, which is there if the network was swapped to it."""
    model = onnx.load(traced)
    if not custom_operator.nodes(model):
        _simplify(traced, path)
        return
    rest, ours = custom_operator.cut_out(model)
    onnx.save(rest, traced)
    _simplify(traced, path)
    onnx.save(custom_operator.put_back(onnx.load(path), ours, (INPUT, OUTPUT)), path)


def _define_our_operator(traced: Path, path: Path) -> None:
    """The graph as it is, complete."""
    traced.replace(path)
    model = onnx.load(path)
    if custom_operator.nodes(model):
        custom_operator.define(model)
        onnx.save(model, path)


def _simplify(traced: Path, path: Path) -> None:
    """Fold constants and drop dead nodes; ONNX Runtime's basic level writes standard operators only."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    ort.InferenceSession(traced, options, providers=["CPUExecutionProvider"])


def _declare(path: Path, opset: int) -> None:
    model = onnx.load(path)
    model.opset_import[0].version = opset
    onnx.save(model, path)


class _Restore(nn.Module):
    """`restore` as a module's forward, which is what the exporter traces."""

    def __init__(self, network: RestorationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.restore(x)
