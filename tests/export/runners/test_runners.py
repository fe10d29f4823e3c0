from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from export import runners
from export.runners import BackendError

TILE = 64


@pytest.fixture
def tiles() -> np.ndarray:
    return np.random.default_rng(0).random((3, 3, TILE, TILE), dtype=np.float32)


def test_openvino_answers_as_onnx_runtime_does_in_float32(graph: Path, tiles: np.ndarray) -> None:
    pytest.importorskip("openvino", reason="openvino is not installed")
    np.testing.assert_allclose(
        runners.load("openvino", graph, threads=1)(tiles), runners.load("onnx", graph, threads=1)(tiles), atol=1e-5
    )


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_an_answer_is_not_overwritten_by_the_next(graph: Path, tiles: np.ndarray, backend: str) -> None:
    pytest.importorskip({"onnx": "onnxruntime"}.get(backend, backend))
    run = runners.load(backend, graph, threads=1)
    first = run(tiles[:1])
    kept = first.copy()
    run(tiles[1:2])
    assert np.array_equal(first, kept)


def test_an_unknown_backend_is_answered_with_those_there_are() -> None:
    with pytest.raises(BackendError, match=r"unknown backend 'tvm'; there are onnx, openvino, tensorrt"):
        runners.load("tvm", Path("x.onnx"))


def test_a_backend_that_is_not_installed_is_said_by_its_package(monkeypatch: pytest.MonkeyPatch, graph: Path) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "export.runners.openvino", raising=False)
    with pytest.raises(BackendError, match="openvino"):
        runners.load("openvino", graph)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "mps"])
def test_an_unknown_device_is_refused(graph: Path, device: str) -> None:
    with pytest.raises(BackendError, match=device):
        runners.load("onnx", graph, device=device)


def test_onnx_runtime_never_falls_back_to_the_cpu_silently(graph: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    with pytest.raises(BackendError, match="cannot use cuda:0: this build has no CUDA"):
        runners.load("onnx", graph, device="cuda:0")


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_memory_that_runs_out_is_imagings_error_and_fewer_tiles_go_on(graph: Path, backend: str) -> None:
    pytest.importorskip({"onnx": "onnxruntime"}.get(backend, backend))
    code = f"""
import pathlib, resource
import numpy as np
from export import runners
from imaging.errors import OutOfMemory
run = runners.load({backend!r}, pathlib.Path({str(graph)!r}), threads=1)
tiles = np.zeros((4000, 3, {TILE}, {TILE}), np.float32)
run(tiles[:1])
used = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 100 * 2**20, resource.RLIM_INFINITY))
try:
    run(tiles)
except OutOfMemory:
    run(tiles[:1])
    print("went on")
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120)
    assert done.stdout == "went on\n", done.stderr


@pytest.mark.parametrize(("backend", "runtime"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_a_backend_imports_its_own_runtime_alone(backend: str, runtime: str) -> None:
    pytest.importorskip(runtime)
    code = (
        "import sys, importlib; from export.runners import MODULES;"
        f"importlib.import_module(MODULES[{backend!r}]);"
        "print(*({'onnxruntime', 'openvino', 'torch', 'onnx', 'tensorrt'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert found == [runtime]
