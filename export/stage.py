"""The export stage on one page: fold, translate, check against torch, calibrate the halo, write it all down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from export import ladder, probe, runners, seams, segments, staged, to_onnx, variants
from export import manifest as manifests
from export.figures import Expected
from export.fold import fold
from export.manifest import ENGINES, Attention, Backend, File, Graph, Manifest, Parity, Precision, Seams, Speed, Weights
from export.parity import answers
from export.proof import Candidate, prove
from export.runners import Runner
from export.subject import Subject
from export.swap import swap
from models.network import RestorationNetwork
from models.segments import SegmentedNetwork

WEIGHTS_FILE: Final = "weights.safetensors"

Step = Callable[[str], object]


class OptionsError(ValueError):
    """Options that do not go together; the message says which and what would."""


@dataclass(frozen=True)
class Options:
    """What to make.

    Attributes:
        backends: to be checked and recorded besides ONNX Runtime; by default OpenVINO, in float32 where installed.
        tiles: sides of the tile ladder; each is raised to a multiple of the network's lattice. None chooses.
        precision: of the graphs.
        attention: how graphs compute key-semantic attention, where a network has it; None chooses by measurement.
        trust_halo: take the halo that came with the weights, and its figures, without measuring it again.
        one_pass: pictures larger than a tile will take the network in one pass, though segments may be there; so they
            do on engines and in half precision anyway.
    """

    backends: tuple[Backend, ...] = ()
    tiles: tuple[int, ...] | None = None
    precision: Precision = "fp32"
    attention: Attention | None = None
    trust_halo: bool = False
    one_pass: bool = False

    def __post_init__(self) -> None:
        chosen = self.backends
        if self.precision == "bf16":
            if not chosen or "onnx" in chosen:
                raise OptionsError(
                    "ONNX Runtime does not compute in bf16 on the CPU: choose tensorrt, tensorrt-rtx, openvino or torch"
                )
        else:  # otherwise always among them: whoever has no better runtime has this one
            plain = self.precision == "fp32" and self.attention != "operator"
            usual: tuple[Backend, ...] = ("openvino",) if plain and find_spec("openvino") else ()
            chosen = ("onnx", *(chosen or usual))
        if self.attention == "operator" and "openvino" in chosen:
            raise OptionsError("OpenVINO takes no operator of ours: choose mask or gather, or leave openvino out")
        object.__setattr__(self, "backends", tuple(dict.fromkeys(chosen)))

        segmented = self.precision == "fp32" and not any(backend in ENGINES for backend in self.backends)
        object.__setattr__(self, "one_pass", self.one_pass or not segmented)

    def ladder(self, lattice: int, scale: int = 1) -> tuple[int, ...]:
        """The tiles for a network of this lattice and scale, rising."""
        if self.tiles:
            return ladder.raised(self.tiles, lattice)
        return ladder.usual(scale, lattice, one_pass=self.one_pass)


def export(subject: Subject, folder: Path, options: Options, on_step: Step = lambda step: None) -> Manifest:
    """Fill the empty `folder` with the artifact of a network; the manifest is written last and returned.

    `on_step` is told in a few words what begins.

    Raises:
        ExportError: a graph is not the network; the message names the first layer that differs.
        BackendError: a backend is not installed or cannot run here.
        EngineError: TensorRT takes no such graph, or fails at it on the GPU that is there.
    """
    on_step("folding")
    network, folded = subject.model, fold(subject.model)
    tiles = options.ladder(network.lattice, network.scale)
    measured = () if options.attention else variants.measure(folded, folder, options.backends)
    wished = options.attention if variants.concerns(folded) else None
    attention = measured[0].attention if measured else wished
    exported = swap(folded, attention or "mask")
    weights = _weights(subject, folder, options.precision) if "torch" in options.backends else None
    graphs: list[Graph] = []
    figures: list[Parity] = []
    speed: list[Speed] = []
    probed: dict[int, Expected] = {}
    for tile in tiles:
        on_step(f"translating tile {tile}")
        path = folder / f"{tile}-{options.precision}.onnx"
        nodes = to_onnx.export(exported, path, tile, options.precision)
        graphs.append(Graph(tile=tile, file=path.name, sha256=manifests.file_sha256(path), nodes=nodes))
        candidate = Candidate(subject.name, network, exported, options.precision, tile, path, weights)
        proof = prove(candidate, options.backends, on_step, alone=tile > tiles[0])
        figures += proof.parity
        speed += proof.speed
        probed[tile] = proof.probed
    probe.save(folder / probe.FILE_NAME, probe.picture(network.in_channels), probed)
    plain = swap(folded, "mask") if attention == "operator" else exported  # segments run on CPUs
    if exact := options.precision == "fp32" and isinstance(plain, SegmentedNetwork):
        segments.export(plain, folder, subject.weights_sha256, on_step)
    halo = ladder.fitting(subject.halo, tiles[-1], network.lattice) if subject.halo else None
    known = (subject.seams,) if subject.seams and subject.seams.halo == halo else ()
    seen = known if options.trust_halo and halo else _seams(halo, exported, folder, graphs, speed, on_step)
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
        halo=seen[-1].halo if seen else halo or 0,
        precision=options.precision,
        weights_sha256=subject.weights_sha256,
        graphs=tuple(graphs),
        weights=Weights(file=WEIGHTS_FILE, sha256=manifests.file_sha256(weights)) if weights else None,
        staged=_file(folder / staged.FILE_NAME) if exact else None,
        probe=_file(folder / probe.FILE_NAME),
        backends=tuple(sorted(options.backends, key=_preference(speed))),
        built=tuple(sorted(set(options.backends) - {one.backend for one in figures})),
        parity=tuple(figures),
        seams=seen,
        speed=tuple(speed),
        attention=attention,
        variants=measured,
        pattern=subject.pattern,
        licence=subject.licence,
        default=subject.default,
    ).sealed()
    manifests.save(manifest, folder)
    return manifest


def _file(path: Path) -> File:
    return File(file=path.name, sha256=manifests.file_sha256(path))


def _weights(subject: Subject, folder: Path, precision: Precision) -> Path:
    from export.runners.torch import save

    save(subject, folder / WEIGHTS_FILE, precision)
    return folder / WEIGHTS_FILE


def _seams(
    halo: int | None,
    exported: RestorationNetwork,
    folder: Path,
    graphs: list[Graph],
    speed: list[Speed],
    on_step: Step,
) -> tuple[Seams, ...]:
    """The figures of a halo, or where none is given of a search on the largest tile."""
    # The smallest tile that has a core inside the halo tells as much about it as the largest, for less.
    fitting = (one for one in graphs if halo is not None and one.tile - 2 * halo >= exported.lattice)
    graph = next(fitting, graphs[-1])
    run = _quickest(exported, folder / graph.file, speed)
    if halo is not None:
        on_step(f"measuring seams at halo {halo}")
        return tuple(seams.measure(exported, run, graph.tile, [halo]))
    return seams.calibrate(exported, run, graph.tile, lambda halo: on_step(f"measuring seams at halo {halo}"))


def _quickest(exported: RestorationNetwork, graph: Path, speed: list[Speed]) -> Runner:
    """The fastest runner of a graph here; where only engines were asked for and there is no GPU, torch."""
    if not speed:
        return lambda tiles: answers(exported, tiles)
    fastest = min(speed, key=lambda one: one.ms_per_tile)
    device = "cuda" if fastest.backend in ENGINES else "cpu"
    return runners.load(fastest.backend, graph, device=device, threads=fastest.threads)


def _preference(speed: Iterable[Speed]) -> Callable[[Backend], float]:
    """Engines first, as they were asked for and a host without their GPU passes them over; then the fastest."""
    ms = {one.backend: one.ms_per_tile for one in speed}
    return lambda backend: -1 if backend in ENGINES else ms.get(backend, float("inf"))
