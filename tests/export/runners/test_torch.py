from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import as_strided

from export import runners
from export.runners import torch as backend
from export.subject import Subject
from imaging.errors import DeviceLost, OutOfMemory

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


@pytest.mark.parametrize("load", [runners.load, lambda _, path, device: backend.load_segments(path, device=device)])
def test_on_cuda_convolutions_compute_in_float32(
    weights: Path, load: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.nn.Module, "to", lambda self, _: self)
    monkeypatch.setattr(torch, "compile", lambda compute, **_: compute)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    load("torch", weights, device="cuda:0")
    assert not torch.backends.cudnn.allow_tf32
