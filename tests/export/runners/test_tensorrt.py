from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from export import runners
from export.runners import BackendError, Runner
from export.to_tensorrt import EngineError, largest_batch
from imaging.errors import DeviceLost, OutOfMemory

backend = pytest.importorskip("export.runners.tensorrt", reason="cuda-bindings is not installed")
trt = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
from cuda.bindings import runtime as cuda  # noqa: E402

from export.runners import activations  # noqa: E402

SIDE = 16
TILE_BYTES = 4 * 3 * SIDE**2
ENDS_BYTES = 2 * largest_batch(SIDE) * TILE_BYTES  # an engine's input and output


class Gpu:
    """Host memory that CUDA's calls take for a GPU's."""

    def __init__(self) -> None:
        self.room_bytes = 1 << 30
        self.blocks: dict[int, Any] = {}

    @property
    def used_bytes(self) -> int:
        return sum(ctypes.sizeof(block) for block in self.blocks.values())

    def malloc(self, size: int) -> tuple[Any, int | None]:
        if self.used_bytes + size > self.room_bytes:
            return cuda.cudaError_t.cudaErrorMemoryAllocation, None
        block = (ctypes.c_byte * size)()
        self.blocks[ctypes.addressof(block)] = block
        return cuda.cudaError_t.cudaSuccess, ctypes.addressof(block)

    def free(self, address: int) -> tuple[Any]:
        del self.blocks[address]
        return (cuda.cudaError_t.cudaSuccess,)

    def copy(self, to: int, start: int, size: int, *_: Any) -> tuple[Any]:
        ctypes.memmove(to, start, size)
        return (cuda.cudaError_t.cudaSuccess,)


class Engine:
    """An engine that inverts tiles, by way of its activations."""

    num_io_tensors = 2

    def __init__(self, gpu: Gpu, activation_bytes: int) -> None:
        self._gpu, self.device_memory_size_v2 = gpu, activation_bytes
        self.no_room = False

    def create_execution_context(self, strategy: Any) -> Context | None:
        assert strategy == trt.ExecutionContextAllocationStrategy.USER_MANAGED
        return None if self.no_room else Context(self._gpu)

    def get_tensor_name(self, place: int) -> str:
        return ("input", "output")[place]

    def get_tensor_mode(self, name: str) -> Any:
        return trt.TensorIOMode.INPUT if name == "input" else trt.TensorIOMode.OUTPUT

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, 3, SIDE, SIDE)


class Context:
    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu
        self._addresses: dict[str, int] = {}

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> None:
        self._batch = shape[0]

    def set_device_memory(self, memory: int, size: int) -> None:
        assert size <= ctypes.sizeof(self._gpu.blocks[memory])
        self._memory = memory

    def execute_async_v3(self, stream_handle: int) -> bool:
        assert self._memory in self._gpu.blocks
        count = self._batch * 3 * SIDE**2
        read, write = (
            np.ctypeslib.as_array(ctypes.cast(self._addresses[name], ctypes.POINTER(ctypes.c_float)), (count,))
            for name in ("input", "output")
        )
        write[:] = 1 - read
        return True


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Gpu:
    made = Gpu()
    for name, function in {"Malloc": made.malloc, "Free": made.free, "MemcpyAsync": made.copy}.items():
        monkeypatch.setattr(cuda, f"cuda{name}", function)
    fine = cuda.cudaError_t.cudaSuccess
    monkeypatch.setattr(cuda, "cudaSetDevice", lambda index: (fine,))
    monkeypatch.setattr(cuda, "cudaStreamCreate", lambda: (fine, 1))
    monkeypatch.setattr(cuda, "cudaStreamSynchronize", lambda stream: (fine,))
    monkeypatch.setattr(backend, "described", lambda index: "a GPU")
    activations.of.cache_clear()
    return made


def opened(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Runner:
    monkeypatch.setattr(backend, "_engine", lambda *_: engine)
    return runners.load("tensorrt-rtx", Path("16.onnx"), device="cuda")


def test_the_engine_of_these_tests_has_nothing_that_the_real_one_lacks() -> None:
    for stand_in, real in ((Engine, trt.ICudaEngine), (Context, trt.IExecutionContext)):
        assert {name for name in vars(stand_in) if not name.startswith("_")} <= set(dir(real))
    assert hasattr(trt.ICudaEngine, "device_memory_size_v2")


def test_engines_take_one_block_of_memory_in_turns(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = np.random.default_rng(0).random((11, 3, SIDE, SIDE), dtype=np.float32)
    runs = [opened(monkeypatch, Engine(gpu, activation_bytes)) for activation_bytes in (1000, 5000, 3000)]
    for run in runs * 2:
        np.testing.assert_array_equal(run(tiles), 1 - tiles)
    assert gpu.used_bytes == len(runs) * ENDS_BYTES + 5000


def test_a_gpu_without_room_for_an_engine_leaves_the_place_to_another_backend(
    gpu: Gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Engine(gpu, 1000)
    full.no_room = True
    with pytest.raises(EngineError, match="no room on the GPU"):
        opened(monkeypatch, full)
    gpu.room_bytes = ENDS_BYTES + 2000
    run = opened(monkeypatch, Engine(gpu, 1000))
    for larger in (3000, 2000):  # too much by itself; and with its ends
        with pytest.raises(EngineError, match="memory is full"):
            opened(monkeypatch, Engine(gpu, larger))
    tiles = np.zeros((1, 3, SIDE, SIDE), dtype=np.float32)
    np.testing.assert_array_equal(run(tiles), 1 - tiles)


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("mended", [True, False])
def test_a_damaged_plan_is_built_again_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mended: bool) -> None:
    plan, built = tmp_path / "16.plan", []

    def cached(*_: Any) -> Path:
        if not plan.is_file():
            built.append(plan)
            plan.write_bytes(b"whole" if mended else b"damaged")
        return plan

    plan.write_bytes(b"damaged")
    engine = object()
    runtime = SimpleNamespace(deserialize_cuda_engine=lambda content: engine if content == b"whole" else None)
    monkeypatch.setattr(trt, "Runtime", lambda logger: runtime)
    monkeypatch.setattr(backend, "cached", cached)
    if mended:
        assert backend._engine(trt, Path("16.onnx"), "a GPU", 0) is engine
    else:
        with pytest.raises(EngineError, match="cannot load the plan"):
            backend._engine(trt, Path("16.onnx"), "a GPU", 0)
    assert len(built) == 1


def test_a_gpu_that_fails_in_any_other_way_is_lost(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    run = opened(monkeypatch, Engine(gpu, 1000))
    monkeypatch.setattr(cuda, "cudaStreamSynchronize", lambda stream: (cuda.cudaError_t.cudaErrorIllegalAddress,))
    with pytest.raises(DeviceLost, match="cudaErrorIllegalAddress"):
        run(np.zeros((1, 3, SIDE, SIDE), dtype=np.float32))


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """TensorRT, as far as it is there at all, and a GPU."""
    module = ModuleType("tensorrt")
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    monkeypatch.setattr(backend, "described", lambda index: "a GPU")
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
@pytest.mark.usefixtures("tensorrt")
def test_whatever_fails_at_a_load_leaves_the_place_to_another_backend(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fail(*_: Any) -> None:
        raise fault

    monkeypatch.setattr(backend, "_engine", fail)
    with pytest.raises(BackendError, match=str(fault).split()[-1]) as caught:
        runners.load("tensorrt", Path("64.onnx"), device="cuda")
    assert isinstance(caught.value, EngineError)


def test_bindings_that_do_not_find_their_libraries_are_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.11: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorrt", raising=False)
    with pytest.raises(BackendError, match=r"tensorrt backend is installed and does not load: libnvinfer\.so\.11"):
        runners.load("tensorrt", Path("64.onnx"), device="cuda")
