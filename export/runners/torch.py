"""The torch network itself, for hosts that have torch: on a GPU with our Triton kernel, plain on the CPU.

On a GPU the whole network is compiled too, for pictures that take it in one pass. Segments are not: their maps have
the picture's size, and each size would be compiled anew.

The weights file is self-contained: its safetensors header names the network and holds its hyper-parameters.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from export.fold import fold
from export.manifest import Precision
from export.precision import lower
from export.runners import BackendError, Runner, cuda_index
from export.subject import Subject, make_config
from export.swap import swap
from imaging.errors import DeviceLost, OutOfMemory
from imaging.flow import Run
from models import build
from models.network import RestorationNetwork
from models.segments import Segment, SegmentedNetwork

# The CPU's allocator has no error class of its own: what it says on Linux, and on Windows.
_NO_MEMORY: Final = ("can't allocate memory", "not enough memory")
# Of one function, and networks share theirs: every network, side and kind of batch takes one. Beyond it all is eager.
_COMPILATIONS: Final = 256


def save(subject: Subject, path: Path, precision: Precision = "fp32") -> None:
    """Write the weights, in float32, with all that `load` has to know."""
    state = {name: value.contiguous() for name, value in subject.model.state_dict().items()}
    noted = {"network": subject.network, "config": json.dumps(subject.config), "precision": precision}
    save_file(state, path, noted)


def load(path: Path, *, device: str = "cpu", threads: int | None = None) -> Runner:
    """Build the network; tiles of any multiple of its lattice. See `export.runners.load`."""
    network = _network(path, device, threads)
    compute = network.restore if device == "cpu" else compiled(network.restore)

    def run(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        with _running():
            return compute(torch.from_numpy(tiles).to(device)).float().cpu().numpy()

    return run


def compiled(restore: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """`restore` by torch.compile: for each side of tiles once for a single tile and once for all larger batches.

    Where a batch is computed in parts to bound the memory, its size is compiled on its own.
    """
    compute = torch.compile(restore, dynamic=False)

    def run(tiles: Tensor) -> Tensor:
        if len(tiles) > 1:
            torch._dynamo.maybe_mark_dynamic(tiles, 0)
        with torch._dynamo.config.patch(recompile_limit=_COMPILATIONS):  # here: settings are each thread's own
            return compute(tiles)

    return run


def load_segments(path: Path, *, device: str = "cpu", threads: int | None = None) -> Mapping[str, Run]:
    """The network of a file written by `save`, segment by segment. See `export.staged.open_runs`."""
    network = _network(path, device, threads)
    assert isinstance(network, SegmentedNetwork)
    return segment_runs(network)


def _network(path: Path, device: str, threads: int | None) -> RestorationNetwork:
    """The network of a file, on the device and in its precision. Raises BackendError without such a device."""
    if cuda_index(device, "torch") is not None:
        if not torch.cuda.is_available():
            raise BackendError(f"torch cannot use {device} here: it sees no CUDA device")
        torch.backends.cudnn.allow_tf32 = False  # by default convolutions, and they alone, round to TF32
    if threads is not None:
        torch.set_num_threads(threads)
    network = lower(fold(read(path)), precision(path))
    return (swap(network, "triton") if device != "cpu" and _has_kernel() else network).to(device)


def _has_kernel() -> bool:
    """Whether Triton is here; imports our kernel now, for torch.compile cannot trace its making."""
    try:
        import_module("models.semanir.triton_attention")
    except ModuleNotFoundError:
        return False
    return True


def segment_runs(network: SegmentedNetwork) -> Mapping[str, Run]:
    """Each segment computed by torch, where the network's weights are; for `imaging.staged`."""
    device = next(network.parameters()).device

    def runner(segment: Segment) -> Run:
        def run(*maps: NDArray[np.float32]) -> NDArray[np.float32]:
            with _running():
                return segment.compute(*(torch.from_numpy(one).to(device) for one in maps)).cpu().numpy()

        return run

    return {segment.name: runner(segment) for segment in network.segments()}


@contextmanager
def _running() -> Iterator[None]:
    """Without gradients, and with imaging's errors for memory that runs out and for a GPU that is lost."""
    try:
        with torch.inference_mode():
            yield
    except torch.AcceleratorError as error:
        raise DeviceLost(str(error)) from error
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and not any(sign in str(error) for sign in _NO_MEMORY):
            raise
        torch.cuda.empty_cache()
        raise OutOfMemory(str(error)) from error


def read(path: Path) -> RestorationNetwork:
    """The network of a file written by `save`, in evaluation mode."""
    noted = _noted(path)
    if not {"network", "config"} <= noted.keys():
        raise BackendError(f"{path} does not say which network it belongs to: export again with --to torch")
    network = build.create(noted["network"], make_config(noted["network"], json.loads(noted["config"])))
    build.load_weights(network, path)
    return network.eval()


def precision(path: Path) -> Precision:
    """What a file written by `save` is to be computed in."""
    return cast(Precision, _noted(path).get("precision", "fp32"))


def _noted(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata() or {}
