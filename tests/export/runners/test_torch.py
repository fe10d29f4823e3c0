from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import as_strided

from export import runners
from export.runners import torch as backend
from export.subject import Subject
from imaging.errors import DeviceLost, OutOfMemory
from models.semanir.attention import KeySemanticAttention
from models.semanir.model import Config, SemanIR

TILE = 64


@pytest.fixture
def weights(subject: Subject, tmp_path: Path) -> Path:
    backend.save(subject, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def test_memory_that_runs_out_is_imagings_error_for_tiles_and_for_segments(weights: Path) -> None:
    endless = 10**10  # more than there are addresses for, of one tile again and again
    one = np.zeros((3, TILE, TILE), np.float32)
    with pytest.raises(OutOfMemory, match="can't allocate memory"):
        runners.load("torch", weights)(as_strided(one, (endless, *one.shape), (0, *one.strides)))
    first = next(iter(backend.load_segments(weights).values()))
    picture = one.transpose(1, 2, 0)
    with pytest.raises(OutOfMemory, match="can't allocate memory"):
        first(as_strided(picture, (endless, *picture.shape), (0, *picture.strides)))


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), OutOfMemory),
        (torch.AcceleratorError("an illegal memory access"), DeviceLost),
        (RuntimeError("shapes do not match"), RuntimeError),
    ],
)
def test_a_full_memory_and_a_lost_gpu_are_imagings_errors(
    weights: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, expected: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise raised

    (first, *_) = backend.load_segments(weights).values()
    monkeypatch.setattr(torch, "from_numpy", fail)
    for run in (runners.load("torch", weights), first):
        with pytest.raises(expected, match=str(raised)) as caught:
            run(np.zeros((1, 3, TILE, TILE), np.float32))
        assert type(caught.value) is expected


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[torch.nn.Module]:
    """The networks that were moved to a device: there seems to be a GPU, and all stays on the CPU, uncompiled."""
    networks: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, _: networks.append(self) or self)
    monkeypatch.setattr(torch, "compile", lambda compute, **_: compute)
    return networks


LOADS = [backend.load, backend.load_segments]


@pytest.mark.parametrize("load", LOADS)
def test_on_cuda_convolutions_compute_in_float32(
    weights: Path, load: Callable[..., object], moved: list[torch.nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    load(weights, device="cuda:0")
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize(
    ("device", "triton", "expected"), [("cuda:0", True, "triton"), ("cuda:0", False, "mask"), ("cpu", True, "mask")]
)
def test_key_semantic_attention_takes_our_kernel_on_cuda_where_triton_is(
    subject: Subject,
    tmp_path: Path,
    moved: list[torch.nn.Module],
    monkeypatch: pytest.MonkeyPatch,
    load: Callable[..., object],
    device: str,
    triton: bool,
    expected: str,
) -> None:
    config = Config(dim=16, num_heads=(2,), down=((1,),), window_size=8, top_k=9, train_top_k=(), bias_hidden=8)
    backend.save(replace(subject, model=SemanIR(config), network="semanir"), tmp_path / "weights.safetensors")
    module = "models.semanir.triton_attention"
    monkeypatch.setitem(sys.modules, module, ModuleType(module) if triton else None)
    load(tmp_path / "weights.safetensors", device=device)
    (network,) = moved
    found = {part.implementation for part in network.modules() if isinstance(part, KeySemanticAttention)}
    assert found == {expected}
