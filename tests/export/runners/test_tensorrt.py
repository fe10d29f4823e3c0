from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from export import runners
from export.runners import BackendError
from export.to_tensorrt import EngineError
from imaging.errors import OutOfMemory

backend = pytest.importorskip("export.runners.tensorrt", reason="cuda-bindings is not installed")


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """TensorRT, as far as it is there at all, and a GPU."""
    module = ModuleType("tensorrt")
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    monkeypatch.setattr(backend, "_gpu", lambda index: "a GPU")
    return module


@pytest.mark.parametrize(
    "fault",
    [
        EngineError("an operator is not supported"),
        OutOfMemory("the GPU's memory is full"),
        RuntimeError("CUDA: cudaErrorUnknown"),
        TypeError("pybind11::init(): factory function returned nullptr"),
        OSError("the disk is full"),
    ],
)
def test_whatever_fails_at_a_load_leaves_the_place_to_another_backend(
    trt: ModuleType, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fail(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(backend, "_engine", fail)
    with pytest.raises(EngineError, match=str(fault).split()[-1]) as caught:
        runners.load("tensorrt", Path("64.onnx"), device="cuda")
    assert isinstance(caught.value, BackendError)


def test_bindings_that_do_not_find_their_libraries_are_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.11: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(BackendError, match=r"tensorrt backend is installed and does not load: libnvinfer\.so\.11"):
        runners.load("tensorrt", Path("64.onnx"), device="cuda")
