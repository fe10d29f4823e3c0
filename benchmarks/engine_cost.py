"""What a tile costs on one runtime, time and memory, in a process of its own.

So its peak memory is its own, and no runtime's threads or allocations disturb another's.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks import memory


@dataclass(frozen=True)
class Cost:
    """What one tile takes on one runtime.

    Attributes:
        ms_per_tile: the best of several runs, by the clock, from the tile in the host's memory to the answer there.
        cpu_ms_per_tile: the same in process CPU time, over all threads, which another program's load does not touch.
        peak_mb: the process's largest resident memory, the runtime itself included.
        gpu_mb: what is taken of the GPU after the runs and was not before the runtime was loaded; None on the CPU.
            The device's own count: an allocator such as torch's knows of no other's memory, but each keeps what it
            once took, so this is its peak. CUDA's context is left out; what another program takes meanwhile is not.
    """

    ms_per_tile: float
    cpu_ms_per_tile: float
    peak_mb: float
    gpu_mb: float | None = None

    def best(self, other: Cost) -> Cost:
        """The least time of two measurements, and the most memory: what else the machine does only takes time."""
        return Cost(
            min(self.ms_per_tile, other.ms_per_tile),
            min(self.cpu_ms_per_tile, other.cpu_ms_per_tile),
            max(self.peak_mb, other.peak_mb),
            None if self.gpu_mb is None or other.gpu_mb is None else max(self.gpu_mb, other.gpu_mb),
        )


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's answer from a fresh process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def cost(make: Callable[..., Any], arguments: tuple[Any, ...], shape: tuple[int, ...], device: str, runs: int) -> Cost:
    """Make a runtime and time its calls, after one that warms up; to be run `alone`."""
    import numpy as np

    taken = 0 if device == "cpu" else _taken_of_gpu()
    compute = make(*arguments)
    tiles = np.random.default_rng(0).random(shape, dtype=np.float32)
    compute(tiles)
    times = [timed(lambda: compute(tiles)) for _ in range(runs)]
    gpu_mb = None if device == "cpu" else (_taken_of_gpu() - taken) / 2**20
    return Cost(min(wall for wall, _ in times), min(cpu for _, cpu in times), memory.peak() / 2**20, gpu_mb)


def load(make: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """Make a runtime and let it go: what an engine takes to be built is no part of what it takes to run."""
    make(*arguments)


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds by the clock, and of this process's CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def _taken_of_gpu() -> int:
    """Bytes of the GPU that are taken, by whomever."""
    from cuda.bindings import runtime as cuda

    from export.runners.gpu import checked

    error, free, total = cuda.cudaMemGetInfo()
    checked((error,))
    return int(total - free)
