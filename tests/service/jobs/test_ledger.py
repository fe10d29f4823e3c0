from __future__ import annotations

import asyncio
import threading

import pytest

from imaging.codec import Format
from service.errors import JobNotFound
from service.jobs.job import Job, Order, State, new_id
from service.jobs.ledger import Ledger

ORDER = Order("derain", "m", Format.PNG, None, "all", None, 1, 1, 100, 1.0, "0", 1)


def job(job_id: str = "a") -> Job:
    return Job(job_id, ORDER, 0.0, tiles_total=100)


def test_an_end_is_final() -> None:
    async def scenario() -> None:
        ledger = Ledger()
        ledger.add(job())
        assert ledger.update("a", state=State.CANCELLED)
        assert ledger.update("a", state=State.SUCCEEDED) is None
        assert ledger.get("a").state is State.CANCELLED
        assert ledger.unfinished() == []

    asyncio.run(scenario())


def test_a_watcher_sees_progress_from_another_thread_and_always_the_end() -> None:
    async def scenario() -> list[Job]:
        ledger = Ledger()
        ledger.add(job())

        def work() -> None:
            for done in range(1, 101):
                ledger.update("a", tiles_done=done)
            ledger.update("a", state=State.SUCCEEDED)

        thread = threading.Thread(target=work)
        seen = []
        async for snapshot in ledger.watch("a"):
            if not seen:
                thread.start()
            seen.append(snapshot)
        thread.join()
        return seen

    seen = asyncio.run(scenario())
    done = [snapshot.tiles_done for snapshot in seen]
    assert done == sorted(done)
    assert (seen[0].tiles_done, seen[-1].tiles_done, seen[-1].state) == (0, 100, State.SUCCEEDED)


def test_jobs_that_are_not_there_are_not_found() -> None:
    async def scenario() -> None:
        ledger = Ledger()
        with pytest.raises(JobNotFound):
            ledger.get("a")
        with pytest.raises(JobNotFound):
            await anext(ledger.watch("a"))
        assert ledger.update("a", tiles_done=1) is None

    asyncio.run(scenario())


def test_ids_do_not_repeat() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000
