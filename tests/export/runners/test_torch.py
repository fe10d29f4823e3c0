from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from export import runners
from export.runners import torch as backend
from export.subject import Subject

TILE = 64


@pytest.fixture
def weights(subject: Subject, tmp_path: Path) -> Path:
    backend.save(subject, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


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
