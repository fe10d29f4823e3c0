from __future__ import annotations

import time
from dataclasses import replace

import pytest

from imaging.codec import Format
from service.errors import Overloaded, StorageFull
from service.jobs.admission import admit_bytes, admit_work
from service.jobs.job import Job, Order, Result, State
from service.jobs.pace import Pace


def job(tile_units: float = 10, tiles_done: int = 0, model: str = "fast", **changes: object) -> Job:
    order = Order("derain", model, Format.PNG, None, "all", None, 1, 1, 10, tile_units, "0", body_bytes=100)
    return replace(Job("id", order, time.time(), tiles_total=10, tiles_done=tiles_done), **changes)


@pytest.fixture
def pace() -> Pace:
    pace = Pace()
    pace.observe("fast", 1, 2.0)
    pace.observe("slow", 1, 5.0)
    return pace


def test_work_that_fits_is_let_in(pace: Pace) -> None:
    admit_work([job(10), job(10, tiles_done=5)], 5, 20, pace)


def test_retry_after_is_when_the_oldest_have_made_room(pace: Pace) -> None:
    # 4 units too many: the first job's 3 remaining ones at 5 s, then one of the second's at 2 s
    with pytest.raises(Overloaded) as caught:
        admit_work([job(3, model="slow"), job(10)], 6, 15, pace)
    assert caught.value.retry_after_s == 17


def test_work_that_never_fits_waits_for_an_empty_backlog(pace: Pace) -> None:
    admit_work([], 1000, 15, pace)
    with pytest.raises(Overloaded) as caught:
        admit_work([job(2)], 1000, 15, pace)
    assert caught.value.retry_after_s == 4


def test_bytes_are_those_of_waiting_uploads_and_kept_results() -> None:
    result = Result("image/png", 50, "0", 1, 1, "m")
    kept = job(state=State.SUCCEEDED, result=result, expires_at=time.time() + 30)
    admit_bytes([job(), kept], 10, 160)
    with pytest.raises(StorageFull) as caught:
        admit_bytes([job(), kept], 11, 160)
    assert 28 <= caught.value.retry_after_s <= 30
    admit_bytes([job(), replace(kept, expired=True)], 60, 160)


def test_a_pace_follows_a_change_of_load(pace: Pace) -> None:
    for _ in range(30):
        pace.observe("fast", 2, 8.0)
    assert pace.seconds("fast", 1) == pytest.approx(4.0, rel=0.1)


def test_an_unknown_network_is_taken_for_the_slowest(pace: Pace) -> None:
    assert pace.seconds("new", 2) == 10
