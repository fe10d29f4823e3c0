from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import pytest
from fake_service import FakeService

import unseam


def test_any_number_of_pictures_may_be_gathered(service: FakeService, tmp_path: Path) -> None:
    service.seconds = 0.02
    names = [tmp_path / f"{n}.png" for n in range(150)]
    for n, name in enumerate(names):
        name.write_bytes(b"%d <" % n)

    async def restore_all() -> list[unseam.Restored]:
        async with unseam.AsyncClient(service.url) as client:
            return await asyncio.gather(*(client.restore(name, task="derain") for name in names))

    assert [each.content for each in asyncio.run(restore_all())] == [name.read_bytes()[::-1] for name in names]
    assert service.count("POST restore") == 150
    assert service.most <= 16
    assert not service.present


def test_threads_take_turns_by_the_number_that_was_asked_for(service: FakeService) -> None:
    service.seconds = 0.02
    with unseam.Client(service.url, at_once=3) as client, ThreadPoolExecutor(12) as pool:
        done = list(pool.map(lambda n: client.restore(b"%d" % n, task="derain"), range(24)))
    assert len(done) == 24
    assert 1 < service.most <= 3


def test_a_picture_is_read_when_its_turn_comes(service: FakeService, tmp_path: Path) -> None:
    service.ready.clear()
    begun = threading.Event()
    second = tmp_path / "second.png"
    with unseam.Client(service.url, at_once=1) as client, ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.restore, b"first", task="derain", on_progress=lambda _: begun.set())
        assert begun.wait(10)
        waiting = pool.submit(client.restore, second, task="derain")
        second.write_bytes(b"written later")
        service.ready.set()
        assert first.result().content == b"tsrif"
        assert waiting.result().content == b"retal nettirw"


def test_more_jobs_may_be_watched_than_a_pool_usually_has_connections(service: FakeService) -> None:
    service.ready.clear()

    async def watch_all() -> int:
        async with unseam.AsyncClient(service.url) as client:
            jobs = [await client.submit(b"x", task="derain") for _ in range(120)]

            async def ends(job: unseam.Job) -> bool:
                async with aclosing(client.watch(job.id)) as changes:
                    return [change.state async for change in changes][-1] == "succeeded"

            watching = [asyncio.create_task(ends(job)) for job in jobs]
            while service.count("GET events") < 120:
                await asyncio.sleep(0.01)
            assert await client.tasks()
            service.ready.set()
            return sum(await asyncio.gather(*watching))

    assert asyncio.run(asyncio.wait_for(watch_all(), 60)) == 120


@pytest.mark.parametrize("kind", [unseam.Client, unseam.AsyncClient])
def test_nobody_is_made_to_wait_for_a_turn_that_never_comes(kind: type) -> None:
    with pytest.raises(ValueError, match="at_once is 1 or more, not 0"):
        kind(at_once=0)
