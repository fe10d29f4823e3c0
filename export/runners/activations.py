"""Memory on a GPU that engines take in turns: one block for each device, as large as the most demanding one wants."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cuda.bindings import runtime as cuda

from export.runners.gpu import checked


class Activations:
    """One device's block. Engines run one at a time, and none of them leaves anything there for its next run.

    Each engine by itself would keep as much as its largest batch takes, whether it runs or not.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._address, self._bytes = 0, 0

    def reserve(self, size_bytes: int) -> None:
        """Have so many bytes, for the device that is this thread's. Raises OutOfMemory, and has none then."""
        with self._lock:
            self._grow(size_bytes)

    @contextmanager
    def held(self, size_bytes: int) -> Iterator[int]:
        """The address of so many bytes, this block's alone. Raises OutOfMemory."""
        with self._lock:
            self._grow(size_bytes)
            yield self._address

    def _grow(self, size_bytes: int) -> None:
        if size_bytes <= self._bytes:
            return
        if self._address:
            checked(cuda.cudaFree(self._address))
            self._address, self._bytes = 0, 0
        self._address = int(checked(cuda.cudaMalloc(size_bytes)))
        self._bytes = size_bytes


@functools.cache
def of(index: int) -> Activations:
    """The block of a device, by its number."""
    return Activations()
