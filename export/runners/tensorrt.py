"""TensorRT on an NVIDIA GPU: the plan comes from this machine's cache, or is built at the first load."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from cuda.bindings import runtime as cuda
from numpy.typing import NDArray

from export.runners import BackendError, Runner, activations, cuda_index
from export.runners.gpu import checked, described
from export.to_tensorrt import EngineError, cached, largest_batch
from imaging.errors import OutOfMemory

PACKAGE = "tensorrt"


def load(path: Path, *, device: str = "cuda", threads: int | None = None, package: str = PACKAGE) -> Runner:
    """Make the engine of an ONNX graph; batches beyond the plan's largest run in parts. See `export.runners.load`.

    Raises EngineError, a BackendError, whatever fails where TensorRT and a GPU are there: another backend may do.
    """
    index = cuda_index(device, package)
    if index is None:
        raise BackendError(f"the {package} backend runs on cuda or cuda:N, not on cpu")
    try:
        trt = import_module(package)
        gpu = described(index)
        return _Execution(trt, _engine(trt, path, gpu, index), index)
    except (OutOfMemory, RuntimeError, TypeError, OSError) as error:  # TypeError: what the bindings make of a null
        raise EngineError(f"{package} cannot load {path} on {device}: {error}") from error


def _engine(trt: ModuleType, path: Path, gpu: str, index: int) -> Any:
    """The engine of the cached plan; where that one is damaged, of a new one."""
    checked(cuda.cudaSetDevice(index))
    runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
    plan = cached(trt, path, gpu)
    engine = runtime.deserialize_cuda_engine(plan.read_bytes())
    if engine is None:
        plan.unlink(missing_ok=True)
        engine = runtime.deserialize_cuda_engine(cached(trt, path, gpu).read_bytes())
    if engine is None:
        raise EngineError(f"{trt.__name__} cannot load the plan of {path} on {gpu}")
    return engine


class _Execution:
    """One engine with its stream and its buffers on the device, sized for the largest batch.

    The memory between the layers is shared with all engines of the device.
    """

    def __init__(self, trt: ModuleType, engine: Any, index: int) -> None:
        self._index, self._engine = index, engine
        self._buffers: dict[str, Any] = {}
        self._context = engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if self._context is None:
            raise OutOfMemory("there is no room on the GPU for another engine")
        self._activations, self._bytes = activations.of(index), engine.device_memory_size_v2
        self._activations.reserve(self._bytes)
        names = [engine.get_tensor_name(place) for place in range(engine.num_io_tensors)]
        modes = {name: engine.get_tensor_mode(name) for name in names}
        self._input = next(name for name in names if modes[name] == trt.TensorIOMode.INPUT)
        self._output = next(name for name in names if modes[name] == trt.TensorIOMode.OUTPUT)
        self._stream = checked(cuda.cudaStreamCreate())
        self._batch = largest_batch(engine.get_tensor_shape(self._input)[-1])
        for name in names:
            self._buffers[name] = checked(cuda.cudaMalloc(self._batch * self._bytes_of_one(name)))
            self._context.set_tensor_address(name, int(self._buffers[name]))

    def __call__(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `export.runners.Runner`."""
        checked(cuda.cudaSetDevice(self._index))  # the calling thread's own setting
        restored = np.empty((len(tiles), *self._engine.get_tensor_shape(self._output)[1:]), dtype=np.float32)
        for start in range(0, len(tiles), self._batch):
            part = slice(start, start + self._batch)
            with self._activations.held(self._bytes) as address:
                self._context.set_device_memory(address, self._bytes)
                self._run(np.ascontiguousarray(tiles[part]), restored[part])
        return restored

    def _run(self, tiles: NDArray[np.float32], restored: NDArray[np.float32]) -> None:
        device, host = cuda.cudaMemcpyKind.cudaMemcpyHostToDevice, cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._context.set_input_shape(self._input, tiles.shape)
        checked(cuda.cudaMemcpyAsync(self._buffers[self._input], tiles.ctypes.data, tiles.nbytes, device, self._stream))
        if not self._context.execute_async_v3(int(self._stream)):
            raise OutOfMemory(f"TensorRT could not run {len(tiles)} tiles")
        checked(
            cuda.cudaMemcpyAsync(restored.ctypes.data, self._buffers[self._output], restored.nbytes, host, self._stream)
        )
        checked(cuda.cudaStreamSynchronize(self._stream))

    def _bytes_of_one(self, name: str) -> int:
        """Bytes of one tile of an input or output, float32."""
        return 4 * int(np.prod(self._engine.get_tensor_shape(name)[1:]))

    def __del__(self) -> None:
        for address in self._buffers.values():
            cuda.cudaFree(address)
