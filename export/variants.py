"""Mask, gather or operator? Key-semantic attention in the form that is fastest where the graph will run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np

from export import plugin, runners, to_onnx
from export.manifest import ENGINES, Attention, Backend, Variant
from export.runners import BackendError, Runner
from export.swap import swap
from models.network import RestorationNetwork
from models.semanir.attention import KeySemanticAttention

_RUNS: Final = 3  # the first warms up
_SIDE: Final = 128  # enough: windows stand alone, so both forms' times grow as the tile's area
_CPU: Final = ("onnx", "openvino")


def concerns(network: RestorationNetwork) -> bool:
    """Whether there is such attention in a network."""
    return any(isinstance(module, KeySemanticAttention) for module in network.modules())


def measure(network: RestorationNetwork, folder: Path, backends: Sequence[Backend]) -> tuple[Variant, ...]:
    """What each form takes on each target that runs here, the fastest first; () without such attention.

    A GPU engine, where one was asked for and runs here, is measured alone: it is what the artifact is for.
    Without it the CPU decides for the engine too. Graphs are made in `folder` and removed.
    """
    if not concerns(network):
        return ()
    tile = -(-_SIDE // network.lattice) * network.lattice
    shape = (1, network.in_channels, tile, tile)
    inputs = np.random.default_rng(0).random(shape, dtype=np.float32)
    measured = []
    for attention in _forms(backends):
        graph = folder / f"{attention}.onnx"
        to_onnx.export(swap(network, attention), graph, tile)
        for backend, run in _targets(graph, backends).items():
            seconds = min(_seconds(run, inputs) for _ in range(_RUNS))
            measured.append(Variant(attention=attention, backend=backend, tile=tile, ms_per_tile=1e3 * seconds))
        graph.unlink()
    return tuple(sorted(measured, key=lambda one: one.ms_per_tile))


def _forms(backends: Sequence[Backend]) -> tuple[Attention, ...]:
    """What may be fastest: our operator only where an engine has our kernel for it."""
    engines = [backend.replace("-", "_") for backend in backends if backend in ENGINES]
    fused = any(find_spec(name) and plugin.register(import_module(name)) for name in engines)
    return ("mask", "gather", "operator") if fused else ("mask", "gather")


def _targets(graph: Path, backends: Sequence[Backend]) -> dict[Backend, Runner]:
    for backend in backends:
        if backend in ENGINES:
            try:
                return {backend: runners.load(backend, graph, device="cuda")}
            except BackendError:  # no GPU here
                continue
    chosen = [backend for backend in backends if backend in _CPU] or ["onnx"]
    return {backend: runners.load(backend, graph) for backend in chosen}


def _seconds(run: Runner, inputs: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    start = time.perf_counter()
    run(inputs)
    return time.perf_counter() - start
