"""The runtimes that may compute an artifact's tiles on a device, and how each is made there.

Every one of them takes and gives arrays in the host's memory, so its answer is there when its call returns.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from export.manifest import ENGINES, Manifest

WRITTEN, EAGER, COMPILED = "torch as written", "torch eager", "torch.compile"
ON_CPU: Final = {"onnx", "openvino"}
ON_GPU: Final = {"onnx", *ENGINES}
_STAND_FOR_TORCH: Final = "torch"  # a backend as well: EAGER on the CPU, COMPILED on a GPU

Make = tuple[Callable[..., Any], tuple[Any, ...]]  # a function that makes a runtime, and its arguments


def runtimes(
    folder: Path, manifest: Manifest, tile: int, device: str, threads: int
) -> tuple[dict[str, Make], dict[str, str]]:
    """How each runtime is made for tiles of `tile` on `cpu` or `cuda`; and, by name, why others are not.

    An engine needs no export of its own, only the graph: on a GPU each is tried.
    """
    made: dict[str, Make] = {name: (make, (manifest, device, threads)) for name, make in _TORCH.items()}
    left_out: dict[str, str] = {}
    for backend in dict.fromkeys((*manifest.backends, *(() if device == "cpu" else ENGINES))):
        if backend in (ON_CPU if device == "cpu" else ON_GPU):
            made[backend] = (_runner, (backend, folder / manifest.graph(tile).file, device, threads))
        elif backend != _STAND_FOR_TORCH:
            left_out[backend] = "needs a GPU" if device == "cpu" else "computes on the CPU alone"
    return made, left_out


def network_of(manifest: Manifest) -> Any:
    """The network of a manifest, untrained: weights do not matter for the time."""
    from export.subject import make_config
    from models import build

    return build.create(manifest.network, make_config(manifest.network, dict(manifest.config))).eval()


def _runner(backend: str, path: Path, device: str, threads: int) -> Any:
    from export import runners

    return runners.load(backend, path, device=device, threads=threads)


def _eager(manifest: Manifest, device: str, threads: int) -> Any:
    """The network as it was trained: in float32 on the CPU, on a GPU in the graph's precision and without TF32."""
    import torch

    from export.precision import lower

    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False
    network = network_of(manifest)
    return _called((network if device == "cpu" else lower(network, manifest.precision).to(device)).restore, device)


def _written(manifest: Manifest, device: str, threads: int) -> Any:
    """As `_eager`, every branch of a re-parameterised convolution by itself."""
    from benchmarks.as_written import as_written

    compute = _eager(manifest, device, threads)

    def call(tiles: Any) -> Any:
        with as_written():
            return compute(tiles)

    return call


def _compiled(manifest: Manifest, device: str, threads: int) -> Any:
    """The network by torch.compile; on a GPU as the torch backend has it: folded, with our Triton kernel."""
    import torch

    from export import runners
    from export.runners.torch import compiled, save
    from export.subject import Subject

    network = network_of(manifest)
    if device == "cpu":
        torch.set_num_threads(threads)
        return _called(compiled(network.restore), device)
    subject = Subject(network, manifest.name, 1, manifest.task, manifest.network, None, "", "", False)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save(subject, path, manifest.precision)
        return runners.load("torch", path, device=device, threads=threads)


def _called(restore: Callable[[Any], Any], device: str) -> Any:
    import torch

    from imaging.errors import OutOfMemory

    def call(tiles: Any) -> Any:
        try:
            with torch.inference_mode():
                return restore(torch.from_numpy(tiles).to(device)).cpu().numpy()
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(str(error)) from error

    return call


_TORCH: Final = {WRITTEN: _written, EAGER: _eager, COMPILED: _compiled}
