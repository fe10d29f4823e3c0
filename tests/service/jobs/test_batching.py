from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from imaging.errors import DeviceLost, OutOfMemory
from service.jobs.batching import Batcher

Array = NDArray[np.float32]


class Recorder:
    """Answers x + 1, waits until it may, and remembers which values shared a batch."""

    def __init__(self, at_most: int = 100) -> None:
        self.may = threading.Event()
        self.at_most = at_most
        self.batches: list[list[float]] = []

    def __call__(self, tiles: Array) -> Array:
        assert self.may.wait(10)
        if len(tiles) > self.at_most:
            raise OutOfMemory("full")
        if (tiles == 666).any():
            raise ValueError("poison")
        self.batches.append(sorted(tiles[:, 0, 0, 0].tolist()))
        return tiles + 1


def tiles(*values: float) -> Array:
    return np.stack([np.full((1, 2, 2), value, np.float32) for value in values])


@pytest.fixture
def batcher() -> Iterator[Callable[..., Batcher]]:
    made: list[Batcher] = []

    def make(batch: int, *, fixed: bool = False) -> Batcher:
        made.append(Batcher(batch, fixed=fixed))
        made[-1].start()
        return made[-1]

    yield make
    assert all(one.stop(5) for one in made)


def ask_all(runner: Callable[[Array], Array], recorder: Recorder, *requests: Array) -> list[Array | Exception]:
    """Ask from as many threads; the first request occupies the network until the others wait."""
    with ThreadPoolExecutor(len(requests)) as threads:
        futures = []
        for request in requests:
            futures.append(threads.submit(runner, request))
            threading.Event().wait(0.05)  # in this order
        recorder.may.set()
        return [future.exception() or future.result() for future in futures]  # type: ignore[misc]


def test_tiles_of_different_pictures_share_batches_and_come_back_to_their_own(batcher: Callable[..., Batcher]) -> None:
    recorder = Recorder()
    requests = [tiles(0), tiles(10, 11), tiles(20), tiles(30, 31)]
    answers = ask_all(batcher(8).shared(recorder), recorder, *requests)
    for request, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer, request + 1)
    assert recorder.batches == [[0], [10, 11, 20, 30, 31]]


def test_a_thumbnail_is_in_the_next_batch_however_many_tiles_wait(batcher: Callable[..., Batcher]) -> None:
    recorder = Recorder()
    giant = tiles(*range(100, 120))
    ask_all(batcher(4).shared(recorder), recorder, tiles(0), giant, tiles(1))
    assert 1 in recorder.batches[1]
    assert [len(batch) for batch in recorder.batches[1:]] == [4, 4, 4, 4, 4, 1]


def test_networks_take_turns(batcher: Callable[..., Batcher]) -> None:
    one = batcher(2)
    first, second = Recorder(), Recorder()
    second.may.set()
    runs = {0: one.shared(first), 1: one.shared(second)}
    order: list[int] = []
    for number, recorder in enumerate((first, second)):
        recorder.batches = _Noting(order, number)
    ask_all(lambda request: runs[int(request[0, 0, 0, 0]) % 2](request), first, tiles(0), tiles(*[2] * 6), tiles(1, 1))
    assert order == [0, 0, 1, 0, 0]


def test_a_thumbnail_waits_for_one_call_however_many_are_wanted(batcher: Callable[..., Batcher]) -> None:
    one, recorder, order = batcher(4), Recorder(), []
    recorder.may.set()
    recorder.batches = _Noting(order, 1)
    entered, go = threading.Event(), threading.Event()

    def first() -> None:
        entered.set()
        assert go.wait(10)

    with ThreadPoolExecutor(8) as threads:
        running = threads.submit(one.call, first)
        assert entered.wait(10)
        calls = [threads.submit(one.call, lambda: order.append(0)) for _ in range(5)]
        thumbnail = threads.submit(one.shared(recorder), tiles(1))
        deadline = time.monotonic() + 10
        while len(one._calls) + len(one._requests) < 6:
            assert time.monotonic() < deadline
        go.set()
        for future in (running, thumbnail, *calls):
            future.result(10)
    assert order == [1, 0, 0, 0, 0, 0]


class _Noting(list[list[float]]):
    def __init__(self, order: list[int], number: int) -> None:
        self._order, self._number = order, number

    def append(self, batch: list[float]) -> None:
        self._order.append(self._number)


def test_a_batch_that_does_not_fit_is_halved_and_larger_ones_are_not_tried_again(
    batcher: Callable[..., Batcher],
) -> None:
    recorder, seen = Recorder(at_most=2), []
    runner = batcher(8).shared(recorder, lambda batch, seconds: seen.append((len(batch), seconds is None)))
    recorder.may.set()
    for _ in range(2):
        np.testing.assert_array_equal(runner(tiles(*range(6))), tiles(*range(1, 7)))
    assert [size for size, full in seen if full] == [6, 3, 3]


def test_a_single_tile_that_does_not_fit_is_the_askers_error(batcher: Callable[..., Batcher]) -> None:
    recorder = Recorder(at_most=0)
    recorder.may.set()
    with pytest.raises(MemoryError):
        batcher(8).shared(recorder)(tiles(1, 2))


def test_one_pictures_failure_is_not_its_neighbours(batcher: Callable[..., Batcher]) -> None:
    recorder = Recorder()
    answers = ask_all(batcher(8).shared(recorder), recorder, tiles(0), tiles(1), tiles(666), tiles(3))
    assert isinstance(answers[2], ValueError)
    np.testing.assert_array_equal(answers[1], tiles(2))
    np.testing.assert_array_equal(answers[3], tiles(4))


def test_fixed_batches_are_filled_up(batcher: Callable[..., Batcher]) -> None:
    recorder = Recorder()
    recorder.may.set()
    np.testing.assert_array_equal(batcher(4, fixed=True).shared(recorder)(tiles(5)), tiles(6))
    assert recorder.batches == [[0, 0, 0, 5]]


def test_who_waits_when_the_thread_ends_is_told() -> None:
    one = Batcher(1)
    recorder = Recorder()
    runner = one.shared(recorder)
    one.start()
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(runner, tiles(0)) for _ in range(2)]
        threading.Event().wait(0.05)
        assert not one.stop(0.01)
        recorder.may.set()
        assert sorted(future.exception() is None for future in futures) == [False, True]
    with pytest.raises(RuntimeError, match="ended"):
        runner(tiles(0))


def test_a_lost_device_is_told_of_before_those_who_wait(batcher: Callable[..., Batcher]) -> None:
    def lose(*_: Array) -> Array:
        raise DeviceLost("CUDA: cudaErrorIllegalAddress")

    told: list[str] = []
    one = batcher(4)
    one.on_lost = lambda error: told.append(str(error))
    for count, ask in enumerate((lambda: one.call(lose), lambda: one.shared(lose)(tiles(1))), 1):
        with pytest.raises(DeviceLost):
            ask()
        assert len(told) == count
