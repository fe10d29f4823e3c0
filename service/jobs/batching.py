"""Continuous batching: the one thread that calls networks, with tiles of whatever pictures wait for the same one.

Each picture has a thread of its own that asks for a few tiles and waits for the answers, so it never has more than that
in the queue. A batch takes one tile of each asker in turn: a thumbnail beside a gigapixel waits for one batch, no more.
Calls that cannot share a batch, such as those of a network's segments, take turns with batches.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from export.runners import Runner
from imaging.errors import DeviceLost

Array = NDArray[np.float32]
T = TypeVar("T")


class BatchObserver(Protocol):
    """Is told of every call of a network."""

    def __call__(self, tiles: Array, seconds: float | None) -> object:
        """The batch `tiles` took `seconds`; None says that it did not fit in memory."""
        ...


class _Request:
    """Tiles that somebody waits for."""

    def __init__(self, runner: Runner, tiles: Array) -> None:
        self.runner, self.tiles = runner, tiles
        self.answers: list[Array | None] = [None] * len(tiles)
        self.taken = 0
        self.left = len(tiles)
        self.done: Future[Array] = Future()

    def answer(self, index: int, tile: Array) -> None:
        self.answers[index] = tile
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(np.stack([tile for tile in self.answers if tile is not None]))

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


_Slot = tuple[_Request, int]  # one tile of a request


class Batcher:
    """Runs networks in one thread of its own, at most `batch` tiles a call.

    Attributes:
        busy_since: when the running call began, on the monotonic clock; None between calls.
        on_lost: told of a device that answers no more, before those are who wait for it.
    """

    def __init__(self, batch: int, *, fixed: bool = False) -> None:
        """With `fixed`, every call has exactly `batch` tiles, filled up with black ones.

        Then the answer for a tile has the same bytes whatever else was in the batch.
        """
        self._batch, self._fixed = batch, fixed
        self._limits: dict[int, int] = {}  # of runners that ran out of memory
        self._wake = threading.Condition()
        self._calls: deque[Callable[[], None]] = deque()
        self._requests: deque[_Request] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="infer", daemon=True)
        self.busy_since: float | None = None
        self.on_lost: Callable[[DeviceLost], object] = lambda error: None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Refuse what still waits and end the thread; false if it is inside a call that does not return in time."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def call(self, function: Callable[[], T]) -> T:
        """Call a function in the thread: devices and their contexts belong to threads."""
        result: Future[T] = Future()

        def run() -> None:
            try:
                result.set_result(function())
            except Exception as error:
                self._tell_if_lost(error)
                result.set_exception(error)

        with self._wake:
            self._refuse_if_stopping()
            self._calls.append(run)
            self._wake.notify()
        return result.result()

    def shared(self, runner: Runner, on_batch: BatchObserver | None = None) -> Runner:
        """A runner for any number of threads, whose calls share batches. It raises MemoryError for a single tile."""
        observed = _Observed(runner, on_batch)

        def run(tiles: Array) -> Array:
            request = _Request(observed, tiles)
            with self._wake:
                self._refuse_if_stopping()
                self._requests.append(request)
                self._wake.notify()
            return request.done.result()

        return run

    def _refuse_if_stopping(self) -> None:
        if self._stopping:
            raise RuntimeError("the inference thread has ended")

    def _loop(self) -> None:
        called = False
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or self._calls or self._requests)
                if self._stopping:
                    break
                called = bool(self._calls) and not (called and self._requests)  # they take turns
                call = self._calls.popleft() if called else None
                slots = [] if call else self._gather()
            self.busy_since = time.monotonic()
            if call:
                call()
            else:
                self._run(slots)
            self.busy_since = None
            del call, slots  # an idle thread keeps no picture
        for request in self._requests:
            request.fail(RuntimeError("the inference thread has ended"))

    def _gather(self) -> list[_Slot]:
        """One tile of each request for the first one's network, in turn, until the batch is full."""
        runner = self._requests[0].runner
        room = self._limits.get(id(runner), self._batch)
        waiting = deque(request for request in self._requests if request.runner is runner)
        others = [request for request in self._requests if request.runner is not runner]
        slots: list[_Slot] = []
        while waiting and len(slots) < room:
            request = waiting.popleft()
            slots.append((request, request.taken))
            request.taken += 1
            if request.taken < len(request.tiles):
                waiting.append(request)
        self._requests = deque((*others, *waiting))  # those served go behind those that were not
        return slots

    def _run(self, slots: list[_Slot]) -> None:
        tiles = _stack(slots)
        runner = slots[0][0].runner
        try:
            answers = runner(self._filled(tiles))
            if len(answers) < len(slots):
                raise RuntimeError(f"the runner answered {len(answers)} tiles of {len(slots)}")
        except Exception as error:
            self._tell_if_lost(error)
            self._run_apart(slots, error)
            return
        for (request, index), answer in zip(slots, answers, strict=False):  # what filled the batch up is dropped
            request.answer(index, answer)

    def _tell_if_lost(self, error: Exception) -> None:
        if isinstance(error, DeviceLost):
            self.on_lost(error)

    def _run_apart(self, slots: list[_Slot], error: Exception) -> None:
        """Halve a batch that did not fit; keep one picture's failure from the others of its batch."""
        if len(slots) == 1:
            slots[0][0].fail(error)
            return
        middle = len(slots) // 2
        if isinstance(error, MemoryError):
            runner = slots[0][0].runner
            self._limits[id(runner)] = min(self._limits.get(id(runner), self._batch), middle)
        del error
        for part in (slots[:middle], slots[middle:]):
            self._run(part)

    def _filled(self, tiles: Array) -> Array:
        missing = self._batch - len(tiles)
        if not self._fixed or missing <= 0:
            return tiles
        return np.concatenate([tiles, np.zeros((missing, *tiles.shape[1:]), tiles.dtype)])


class _Observed:
    """A runner whose calls are timed; its identity is what requests are grouped by."""

    def __init__(self, runner: Runner, on_batch: BatchObserver | None) -> None:
        self._runner, self._on_batch = runner, on_batch

    def __call__(self, tiles: Array) -> Array:
        start = time.perf_counter()
        try:
            answers = self._runner(tiles)
        except MemoryError:
            self._tell(tiles, None)
            raise
        self._tell(tiles, time.perf_counter() - start)
        return answers

    def _tell(self, tiles: Array, seconds: float | None) -> None:
        if self._on_batch:
            self._on_batch(tiles, seconds)


def _stack(slots: list[_Slot]) -> Array:
    """The tiles as one array; without a copy where they are one whole request."""
    first, _ = slots[0]
    if len(slots) == len(first.tiles) and all(request is first for request, _ in slots):
        return first.tiles
    return np.stack([request.tiles[index] for request, index in slots])
