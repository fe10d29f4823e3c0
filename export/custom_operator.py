"""`unseam::key_semantic_attention` in an ONNX graph: one node, and a function of the model that says what it computes.

ONNX Runtime runs the function's body; TensorRT too, unless our plugin is registered with it (`export.plugin`).
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-any-return"
from __future__ import annotations

from collections import deque
from typing import Any, Final

import onnx
from onnx import FunctionProto, ModelProto, NodeProto, TensorProto, helper
from onnxscript import opset20, script

from models.layers.attention import MASKED

DOMAIN: Final = "unseam"
VERSION: Final = 1
op: Any = opset20  # its type hints know no operator between a tensor and a constant


@script(default_opset=op)
def key_semantic_attention(q, k, v, keys, bias):
    """Softmax over the listed keys of q k^T + bias, times v: `models.semanir.listed.attend_masked`.

    Args:
        q: (G, num_heads, N, d), scaled already.
        k: as q.
        v: as q.
        keys: int32 (G, N, k), -1 where a place is empty.
        bias: (num_heads, 2h-1, 2w-1), h * w = N.

    Returns:
        (G, num_heads, N, d).
    """
    nought = op.Constant(value_ints=[0])
    one = op.Constant(value_ints=[1])
    tokens = op.Shape(q, start=2, end=3)
    # Which pairs are listed: (G, 1, N, N). Empty places fall into a column that is cut off.
    key = op.Cast(keys, to=TensorProto.INT64)
    column = op.Where(op.Less(key, nought), tokens, key)
    extent = op.Concat(op.Shape(keys, start=0, end=2), op.Add(tokens, one), axis=0)
    empty = op.Expand(op.CastLike(op.Constant(value_float=0.0), q), extent)
    ones = op.Expand(op.CastLike(op.Constant(value_float=1.0), q), op.Shape(column))
    listed = op.Slice(op.ScatterElements(empty, column, ones, axis=2), nought, tokens, op.Constant(value_ints=[2]))
    allowed = op.Unsqueeze(op.Cast(listed, to=TensorProto.BOOL), one)
    # The bias of every pair: (num_heads, N, N).
    rows = op.Div(op.Add(op.Shape(bias, start=1, end=2), one), op.Constant(value_ints=[2]))
    offsets = op.Shape(bias, start=2, end=3)
    columns = op.Div(op.Add(offsets, one), op.Constant(value_ints=[2]))
    token = op.Range(op.Constant(value_int=0), op.Squeeze(tokens), op.Constant(value_int=1))
    y = op.Div(token, columns)
    x = op.Sub(token, op.Mul(y, columns))
    down = op.Sub(op.Add(op.Unsqueeze(y, one), op.Sub(rows, one)), op.Unsqueeze(y, nought))
    right = op.Sub(op.Add(op.Unsqueeze(x, one), op.Sub(columns, one)), op.Unsqueeze(x, nought))
    flat = op.Reshape(bias, op.Constant(value_ints=[0, -1]))
    position = op.Gather(flat, op.Add(op.Mul(down, offsets), right), axis=1)
    scores = op.Add(op.MatMul(q, op.Transpose(k, perm=[0, 1, 3, 2])), position)
    scores = op.Where(allowed, scores, op.CastLike(op.Constant(value_float=MASKED), q))
    return op.MatMul(op.Softmax(scores, axis=-1), v)


def body() -> FunctionProto:
    """The function, in our domain."""
    function: FunctionProto = key_semantic_attention.to_function_proto()
    function.domain = DOMAIN
    function.attribute.extend(["plugin_namespace", "plugin_version"])  # for TensorRT; the body needs neither
    return function


def nodes(model: ModelProto) -> list[NodeProto]:
    """The graph's nodes of our domain."""
    return [node for node in model.graph.node if node.domain == DOMAIN]


def cut_out(model: ModelProto) -> tuple[ModelProto, list[NodeProto]]:
    """The graph without our nodes, and these: their inputs became outputs of the graph, their outputs inputs.

    An optimiser that knows no function of a model's own can then work on the rest.
    """
    rest, ours = ModelProto(), nodes(model)
    rest.CopyFrom(model)
    inferred = {one.name: one for one in onnx.shape_inference.infer_shapes(model).graph.value_info}
    del rest.graph.node[:]
    rest.graph.node.extend(node for node in model.graph.node if node.domain != DOMAIN)
    for node in ours:
        q = inferred[node.input[0]].type.tensor_type
        sides = [dim.dim_value or None for dim in q.shape.dim]
        rest.graph.input.append(helper.make_tensor_value_info(node.output[0], q.elem_type, [None, *sides[1:]]))
    known = {one.name for one in rest.graph.output}
    read = dict.fromkeys(name for node in ours for name in node.input if name not in known)
    rest.graph.output.extend(onnx.ValueInfoProto(name=name) for name in read)
    return rest, ours


def put_back(rest: ModelProto, ours: list[NodeProto], ends: tuple[str, str]) -> ModelProto:
    """Undo `cut_out` after the rest was optimised; `ends` are the graph's own input and output."""
    model = ModelProto()
    model.CopyFrom(rest)
    for values, name in ((model.graph.input, ends[0]), (model.graph.output, ends[1])):
        own = next(value for value in values if value.name == name)
        kept = onnx.ValueInfoProto()
        kept.CopyFrom(own)
        del values[:]
        values.append(kept)
    ordered = _sorted([*rest.graph.node, *ours])
    del model.graph.node[:]
    model.graph.node.extend(ordered)
    define(model)
    return model


def define(model: ModelProto) -> None:
    """Give a graph that holds our nodes the function that says what they compute."""
    model.functions.append(body())
    if not any(entry.domain == DOMAIN for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, VERSION))
    model.ir_version = max(model.ir_version, 8)  # the first with functions


def _sorted(unsorted: list[NodeProto]) -> list[NodeProto]:
    """Nodes so that each comes after those whose outputs it reads, otherwise in the order given."""
    made = {name: index for index, node in enumerate(unsorted) for name in node.output if name}
    waits = [{made[name] for name in node.input if name in made} for node in unsorted]
    readers: dict[int, list[int]] = {}
    for index, before in enumerate(waits):
        for one in before:
            readers.setdefault(one, []).append(index)
    ready = deque(index for index, before in enumerate(waits) if not before)
    ordered = []
    while ready:
        index = ready.popleft()
        ordered.append(unsorted[index])
        for reader in readers.get(index, []):
            waits[reader].discard(index)
            if not waits[reader]:
                ready.append(reader)
    return ordered
