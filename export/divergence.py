"""Where an export went wrong: the first layer whose output is not the network's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.to_onnx import INPUT, OUTPUT, widened
from models.network import RestorationNetwork

Outputs = dict[str, NDArray[np.float32]]

ANSWER = ""  # among the layers' names: the network itself


def first_divergence(
    steps: Mapping[str, RestorationNetwork],
    trained: RestorationNetwork,
    graph: Path,
    tiles: NDArray[np.float32],
    tolerance: float,
) -> str | None:
    """Name the first layer that answers otherwise, and the step that made it so; None if there is none.

    Args:
        steps: what was done to the network before it was translated: the step's name, and the network after it.
        trained: the network before the first step.
        graph: the ONNX file, translated from the network after the last step.
        tiles: input on which the answers differ, (N, C, T, T).
        tolerance: largest difference of a layer's output that is no divergence, relative where it exceeds 1.
    """
    expected = layer_outputs(trained, tiles)
    for step, network in steps.items():
        found = layer_outputs(network, tiles)
        if where := _first_difference(expected, found, tolerance):
            return f"{step} {where}"
        expected = found
    if where := _first_difference(expected, graph_outputs(graph, list(expected), tiles), tolerance):
        return f"the translation to ONNX {where}"
    return None


def _first_difference(expected: Outputs, found: Outputs, tolerance: float) -> str | None:
    for name, output in expected.items():
        # Not `error > tolerance`: NaN is larger than nothing.
        if name in found and not (error := _error(output, found[name])) <= tolerance:
            layer = "what follows the last layer" if name == ANSWER else f"the layer {name!r} first"
            return f"changed {layer} (by {error:.1e})"
    return None


def layer_outputs(network: RestorationNetwork, tiles: NDArray[np.float32]) -> Outputs:
    """What each module answers, by its name, in the order in which they finish, and last `ANSWER`.

    Of a module that is called several times, the last call counts. Those that answer with what they get leave no trace
    in a graph.
    """
    outputs: Outputs = {}

    def note(name: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                outputs.pop(name, None)
                outputs[name] = output.float().cpu().numpy().copy()

        return hook

    handles = [
        module.register_forward_hook(note(name))
        for name, module in network.named_modules()
        if name and not isinstance(module, nn.Identity)
    ]
    try:
        with torch.inference_mode():
            answer = network.restore(torch.from_numpy(tiles).to(next(network.parameters()).device))
    finally:
        for handle in handles:
            handle.remove()
    return outputs | {ANSWER: answer.float().cpu().numpy()}


def graph_outputs(graph: Path, layers: list[str], tiles: NDArray[np.float32]) -> Outputs:
    """What the graph computes for each of the layers that can be found in it again."""
    model = widened(graph)
    tensors = {name: node.output[0] for node in model.graph.node for name in _modules(node.name) if name in layers}
    tensors[ANSWER] = OUTPUT
    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted({*tensors.values()} - known))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = sorted({*tensors.values()})
    found = dict(zip(names, session.run(names, {INPUT: tiles}), strict=True))
    return {name: found[tensor].astype(np.float32) for name, tensor in tensors.items()}


def _modules(node: str) -> list[str]:
    """The modules that a node came from, outermost first: `/blocks.0/blocks.0.1/norm/Mul` is in `blocks.0.1.norm`.

    A container's child repeats the container's name: the whole of it, as there, or, where the container was reached by
    way of others, its last part alone (`/body.down.1.layers/layers.0/norm/Mul` is in `body.down.1.layers.0.norm`).
    """
    names: list[str] = []
    parts: list[str] = []
    for part in node.split("/")[1:-1]:
        container = parts[-1] if parts else ""
        if container and part.startswith(f"{container}."):
            parts.pop()
        else:
            part = part.removeprefix(f"{container.rpartition('.')[2]}.")
        parts.append(part)
        names.append(".".join(parts))
    return names


def _error(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Largest difference of the sorted values: the graph may hold a layer's answer in another order of axes."""
    if expected.size != found.size:  # the optimiser merged the layer's end with something else: nothing to compare
        return 0.0
    ours, theirs = np.sort(expected, axis=None), np.sort(found, axis=None)
    unequal = ours != theirs  # equal infinities have no difference
    difference = np.abs(ours[unequal] - theirs[unequal]).max(initial=0.0)
    return float(difference / np.abs(expected[np.isfinite(expected)]).max(initial=1.0))
