from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from export import runners
from export.runners import BackendError
from export.runners import onnx as backend
from imaging.errors import DeviceLost, OutOfMemory

CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class Cuda:
    """An ONNX Runtime with CUDA: what it was asked for."""

    def __init__(self) -> None:
        self.arenas: list[tuple[str, dict[str, str]]] = []
        self.providers: list[Any] = []
        self.shrunk: list[str] = []
        self.fault: Exception | None = None

    def register(self, provider: str, memory: Any, options: dict[str, str], arena: Any) -> None:
        if self.fault and provider == CUDA:
            raise self.fault
        assert memory.name == {CUDA: "Cuda", CPU: "Cpu"}[provider]
        self.arenas.append((provider, options))

    def session(self, path: Path, options: Any, providers: list[Any]) -> Cuda:
        assert options.get_session_config_entry("session.use_env_allocators") == "1"
        self.providers = providers
        return self

    def get_providers(self) -> list[str]:
        return [CUDA, CPU]

    def get_inputs(self) -> list[Any]:
        return []

    def run(self, _: None, inputs: object, options: Any = None) -> list[np.ndarray]:
        if options:
            self.shrunk.append(options.get_run_config_entry("memory.enable_memory_arena_shrinkage"))
        if self.fault:
            raise self.fault
        return [np.zeros(1, np.float32)]


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Cuda:
    made = Cuda()
    monkeypatch.setattr(ort, "get_available_providers", made.get_providers)
    monkeypatch.setattr(ort, "create_and_register_allocator_v2", made.register)
    monkeypatch.setattr(ort, "InferenceSession", made.session)
    monkeypatch.setattr(backend, "_share_an_arena", functools.cache(backend._share_an_arena.__wrapped__))
    return made


def test_all_sessions_of_a_gpu_share_one_arena_on_it(cuda: Cuda) -> None:
    for device in ("cuda:1", "cuda:1", "cuda:0"):
        runners.load("onnx", Path("64.onnx"), device=device)
    assert cuda.arenas == [(CPU, {}), (CUDA, {"device_id": "1"}), (CUDA, {"device_id": "0"})]


def test_the_way_to_convolve_is_chosen_without_a_clock(cuda: Cuda) -> None:
    runners.load("onnx", Path("64.onnx"), device="cuda:1")
    (name, options), rest = cuda.providers
    assert (name, rest) == (CUDA, CPU)
    assert options == {"device_id": 1, "use_tf32": 0, "cudnn_conv_algo_search": "HEURISTIC"}


@pytest.mark.parametrize("text", ["CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"])
def test_memory_that_runs_out_in_cudas_libraries_is_imagings_error_and_both_arenas_are_emptied(
    cuda: Cuda, text: str
) -> None:
    run = runners.load("onnx", Path("64.onnx"), device="cuda:1")
    cuda.fault = RuntimeError(text)
    with pytest.raises(OutOfMemory, match="ALLOC_FAILED"):
        run()
    assert cuda.shrunk == ["cpu:0;gpu:1"]


def test_a_gpu_whose_kernel_went_wrong_is_lost(cuda: Cuda) -> None:
    run = runners.load("onnx", Path("64.onnx"), device="cuda:1")
    cuda.fault = RuntimeError("CUDA failure 700: an illegal memory access was encountered ; GPU=1")
    with pytest.raises(DeviceLost, match="illegal memory access"):
        run()


def test_cuda_that_does_not_load_leaves_the_place_to_another_backend(cuda: Cuda) -> None:
    cuda.fault = RuntimeError("libcublasLt.so.13: cannot open shared object file")
    with pytest.raises(BackendError, match="could not start it on cuda:1"):
        runners.load("onnx", Path("64.onnx"), device="cuda:1")
