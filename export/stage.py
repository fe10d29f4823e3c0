"""The export stage on one page: fold, translate, check against torch, time, calibrate the halo, write it all down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
import torch

from export import manifest as manifests
from export import parity, runners, seams, to_onnx, to_tensorrt
from export.divergence import first_divergence
from export.fold import fold
from export.manifest import Backend, Graph, Manifest, Parity, Speed, Weights
from export.runners import BackendError, Runner
from export.subject import Subject
from export.swap import swap
from export.to_onnx import ExportError

TILES: Final = (256, 512)
WEIGHTS_FILE: Final = "weights.safetensors"
_TIMED: Final = ("onnx", "openvino")  # both run on the CPU; which is faster differs from network to network
_ENGINES: Final = ("tensorrt", "tensorrt-rtx")
_RUNS = 2  # of which the first also warms up

Step = Callable[[str], object]


@dataclass(frozen=True)
class Options:
    """What to make.

    Attributes:
        backends: to be checked and recorded besides ONNX Runtime; by default OpenVINO where it is installed.
        tiles: sides of the tile ladder; each is raised to a multiple of the network's lattice.
    """

    backends: tuple[Backend, ...] = ()
    tiles: tuple[int, ...] = TILES

    def __post_init__(self) -> None:
        chosen = self.backends or (("openvino",) if find_spec("openvino") else ())
        # ONNX Runtime is always among them: it is what the graph is checked, measured and diagnosed with.
        object.__setattr__(self, "backends", tuple(dict.fromkeys(("onnx", *chosen))))

    def ladder(self, lattice: int) -> tuple[int, ...]:
        """The tiles for a network of this lattice, rising."""
        return tuple(sorted({-(-tile // lattice) * lattice for tile in self.tiles}))


def export(subject: Subject, folder: Path, options: Options, on_step: Step = lambda step: None) -> Manifest:
    """Fill the empty `folder` with the artifact of a network; the manifest is written last and returned.

    `on_step` is told in a few words what begins.

    Raises:
        ExportError: a graph is not the network; the message names the first layer that differs.
        BackendError: a backend is not installed or cannot run here.
        EngineError: TensorRT takes no such graph.
    """
    on_step("folding")
    network, exported = subject.model, swap(fold(subject.model), "gather")
    tiles = options.ladder(network.lattice)
    files = {"torch": _weights(subject, folder)} if "torch" in options.backends else {}
    graphs, figures = [], []
    for tile in tiles:
        on_step(f"translating tile {tile}")
        path = folder / f"{tile}.onnx"
        nodes = to_onnx.export(exported, path, tile)
        graphs.append(Graph(tile=tile, file=path.name, sha256=manifests.file_sha256(path), nodes=nodes))
        inputs = parity.tiles(tile, network.in_channels)
        expected = parity.answers(network, inputs)
        for backend in options.backends:
            on_step(f"checking tile {tile} on {backend}")
            run = _prove(backend, path) if backend in _ENGINES else runners.load(backend, files.get(backend, path))
            if run is None:
                continue
            found = parity.compare(expected, run, inputs)
            if not found.within("fp32"):
                where = first_divergence(network, exported, path, inputs[:1], parity.MAX_ABS_FP32)
                raise ExportError(
                    f"{subject.name} on {backend} is off by {found.max_abs:.1e} at tile {tile} (at most "
                    f"{parity.MAX_ABS_FP32:.0e} is allowed): {where}"
                )
            figures.append(Parity(backend=backend, tile=tile, max_abs=found.max_abs, psnr_db=found.psnr_db))
    on_step("timing")
    largest = folder / graphs[-1].file
    timed: dict[Backend, Runner] = {
        backend: runners.load(backend, largest) for backend in options.backends if backend in _TIMED
    }
    speed = _speed(timed, tiles[-1], network.in_channels)
    backends = tuple(sorted(options.backends, key=_preference(speed)))
    fastest = min(speed, key=lambda one: one.ms_per_tile).backend
    seen = seams.calibrate(exported, timed[fastest], tiles[-1], lambda halo: on_step(f"measuring seams at halo {halo}"))
    manifest = Manifest(
        name=subject.name,
        version=subject.version,
        task=subject.task,
        network=subject.network,
        config_name=subject.config_name,
        config=subject.config,
        scale=network.scale,
        in_channels=network.in_channels,
        out_channels=network.out_channels,
        lattice=network.lattice,
        halo=seen[-1].halo,
        weights_sha256=subject.weights_sha256,
        graphs=tuple(graphs),
        weights=Weights(file=WEIGHTS_FILE, sha256=manifests.file_sha256(files["torch"])) if files else None,
        backends=backends,
        parity=tuple(figures),
        seams=seen,
        speed=speed,
        licence=subject.licence,
        default=subject.default,
    ).sealed()
    manifests.save(manifest, folder)
    return manifest


def steps(options: Options, lattice: int) -> int:
    """How often `export` calls `on_step` at least: the halo is found at the first try or later."""
    return 3 + len(options.ladder(lattice)) * (1 + len(options.backends))


def _weights(subject: Subject, folder: Path) -> Path:
    from export.runners.torch import save

    save(subject, folder / WEIGHTS_FILE)
    return folder / WEIGHTS_FILE


def _speed(timed: dict[Backend, Runner], tile: int, channels: int) -> tuple[Speed, ...]:
    """The best of a few runs of each, by turns, so that another program's load falls on all of them."""
    inputs = np.full((1, channels, tile, tile), 0.5, dtype=np.float32)
    best = dict.fromkeys(timed, float("inf"))
    for _ in range(_RUNS):
        for backend, run in timed.items():
            start = time.perf_counter()
            run(inputs)
            best[backend] = min(best[backend], time.perf_counter() - start)
    return tuple(
        Speed(backend=backend, tile=tile, threads=torch.get_num_threads(), ms_per_tile=1e3 * seconds)
        for backend, seconds in best.items()
    )


def _preference(speed: Iterable[Speed]) -> Callable[[Backend], float]:
    """Engines first, as they were asked for and a host without their GPU passes them over; then the fastest."""
    ms = {one.backend: one.ms_per_tile for one in speed}
    return lambda backend: -1 if backend in _ENGINES else ms.get(backend, float("inf"))


def _prove(backend: Backend, graph: Path) -> Runner | None:
    """The engine's runner; without a GPU the proof that TensorRT for RTX parses and builds the graph, and None."""
    try:
        return runners.load(backend, graph, device="cuda")
    except BackendError:
        if backend != "tensorrt-rtx" or not find_spec("tensorrt_rtx"):
            raise  # TensorRT itself builds on a GPU only
    to_tensorrt.build(import_module("tensorrt_rtx"), graph)
    return None
