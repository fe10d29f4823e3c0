"""One graph of the ladder on every backend: is it the network, and how long does a tile take?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import onnxruntime as ort
import torch

from export import figures, parity, probe, runners, to_onnx, to_tensorrt
from export.divergence import first_divergence
from export.figures import Expected, Figures, Tiles
from export.manifest import ENGINES, Backend, Parity, Precision, Speed
from export.precision import lower
from export.runners import BackendError, Runner
from export.to_onnx import ExportError
from export.to_tensorrt import EngineError
from models.network import RestorationNetwork

_RUNS: Final = 2  # timed, after the parity check has warmed up
# How far a layer's output may be off, relative where it exceeds 1, before it is called the one that diverged.
_LAYER_TOLERANCE: Final = {"fp32": figures.MAX_ABS_FP32, "fp16": 0.01, "bf16": 0.05}


@dataclass(frozen=True)
class Candidate:
    """A graph to be checked, and the network in the three forms that led to it.

    Attributes:
        name: of the artifact.
        trained: the network as it was trained.
        folded: with its re-parameterised convolutions folded, as it was translated but for its precision.
        precision: of the graph.
        tile: side of its tiles.
        graph: the ONNX file.
        weights: the weights' file, where torch is among the backends.
    """

    name: str
    trained: RestorationNetwork
    folded: RestorationNetwork
    precision: Precision
    tile: int
    graph: Path
    weights: Path | None = None


@dataclass(frozen=True)
class Proof:
    """What was measured on one graph.

    Attributes:
        parity: of each backend that ran.
        speed: of each backend that ran, but torch.
        probed: what is to be answered to the probe's tile.
    """

    parity: tuple[Parity, ...]
    speed: tuple[Speed, ...]
    probed: Expected


def prove(
    candidate: Candidate,
    backends: Sequence[Backend],
    on_step: Callable[[str], object] = lambda step: None,
    *,
    alone: bool = False,
) -> Proof:
    """Compare a graph with the trained network on a photograph and on the probe's tile, and time it on the way.

    With `alone`, the probe's tile is run, once, and not timed. That is enough for the further tiles of a ladder: their
    graphs are translated from the same code as the first one's, which ran tile by tile and in a batch.

    In half precision the error that counts is the larger one of two: the graph's, and that of torch rounding as the
    graph's types say. CPU runtimes compute wider than those types, so theirs alone would flatter.

    Raises:
        ExportError: an answer is not the network's; the message names the first layer that differs.
        BackendError: a backend is not installed or cannot run here; as EngineError, it takes no such graph.
    """
    side, channels = candidate.tile, candidate.trained.in_channels
    inputs = probe.tile(probe.picture(channels), side) if alone else parity.tiles(side, channels)
    wanted = parity.expected(candidate.trained, inputs, abreast=2)  # as the probe's tile is: a picture beside noise
    rounding = _rounding(candidate, inputs, wanted)
    threads = torch.get_num_threads()
    measured, times = [], []
    for backend in backends:
        on_step(f"checking tile {candidate.tile} on {backend}")
        run = _runner(backend, candidate, threads)
        if run is None:
            continue
        found = figures.worst((rounding, figures.compare(wanted, run, inputs)))
        _check(candidate, backend, found, wanted, inputs)
        measured.append(Parity(backend=backend, tile=candidate.tile, **asdict(found)))
        if backend != "torch" and not alone:
            milliseconds = 1e3 * min(_seconds(run, inputs[:1]) for _ in range(_RUNS))
            times.append(Speed(backend=backend, tile=candidate.tile, threads=threads, ms_per_tile=milliseconds))
    return Proof(tuple(measured), tuple(times), wanted[-1:])


def _seconds(run: Runner, tiles: Tiles) -> float:
    start = time.perf_counter()
    run(tiles)
    return time.perf_counter() - start


def _rounding(candidate: Candidate, inputs: Tiles, wanted: Expected) -> Figures:
    """What the precision alone costs; in bfloat16 the translation is checked here too, with wider numbers.

    ONNX Runtime has no bfloat16 kernels on the CPU. With float32 in their place, the same graph runs everywhere.
    """
    if candidate.precision == "fp32":
        return Figures(0.0, figures.PSNR_CAP_DB)
    found = figures.difference(wanted, parity.answers(_lowered(candidate), inputs))
    _check(candidate, "torch", found, wanted, inputs)
    if candidate.precision == "bf16":
        _check(candidate, "onnx", figures.compare(wanted, _widened(candidate.graph), inputs), wanted, inputs)
    return found


def _check(candidate: Candidate, backend: Backend, found: Figures, wanted: Expected, inputs: Tiles) -> None:
    wrong = found.fault(candidate.precision)
    if not wrong:
        return
    raise ExportError(
        f"{candidate.name} on {backend} {wrong} at tile {candidate.tile}: {_where(candidate, backend, wanted, inputs)}"
    )


def _where(candidate: Candidate, backend: Backend, wanted: Expected, inputs: Tiles) -> str:
    """What makes a backend's answers wrong: the first layer, or else the backend itself."""
    steps = {"folding": candidate.folded, f"rounding to {candidate.precision}": _lowered(candidate)}
    tolerance = _LAYER_TOLERANCE[candidate.precision]
    if where := first_divergence(steps, candidate.trained, candidate.graph, inputs[:1], tolerance):
        return where
    computed = figures.compare(wanted, _widened(candidate.graph), inputs)
    if backend != "onnx" and computed.within(candidate.precision):
        return f"the graph is right in ONNX Runtime on the CPU; {backend} computes it otherwise"
    return "no single layer differs by more than the tolerance: the error builds up over many"


def _lowered(candidate: Candidate) -> RestorationNetwork:
    return lower(candidate.folded, candidate.precision)


def _widened(graph: Path) -> Runner:
    """The graph in ONNX Runtime on the CPU, its bfloat16 as float32: there are no kernels for it."""
    session = ort.InferenceSession(to_onnx.widened(graph).SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda tiles: session.run(None, {to_onnx.INPUT: tiles})[0]


def _runner(backend: Backend, candidate: Candidate, threads: int) -> Runner | None:
    """The backend's runner; None for an engine that was built here, as proof, but has no GPU to run on."""
    if backend not in ENGINES:
        if backend == "torch" and candidate.weights:
            # Where the service would run it: compiled, with our kernel.
            device = "cuda" if torch.cuda.is_available() else "cpu"
            return runners.load(backend, candidate.weights, device=device, threads=threads)
        return runners.load(backend, candidate.graph, threads=threads)
    try:
        return runners.load(backend, candidate.graph, device="cuda")
    except EngineError:
        raise  # there is a GPU
    except BackendError:
        if backend != "tensorrt-rtx" or not find_spec("tensorrt_rtx"):
            raise  # TensorRT itself builds on a GPU only
    to_tensorrt.build(import_module("tensorrt_rtx"), candidate.graph)
    return None
