"""One subscription for a whole process: whoever waits for a job is woken when it changes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.asyncio import Redis

from service.jobs.connection import UNREACHABLE
from service.jobs.records import CHANGED

log = logging.getLogger(__name__)

QUIET_S: Final = 5.0  # without a message, a ping is sent; a second such time without any, the connection is dead
RECONNECT_S: Final = 0.5


class Listener:
    """Wakes coroutines on the event loop it was started on. No thread and no connection for each."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen; a Redis that cannot be reached is tried again for ever."""
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Stop to listen."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @contextmanager
    def watching(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set at each change of a job, and whenever changes may have been missed."""
        changed = asyncio.Event()
        self._watchers[job_id].add(changed)
        try:
            yield changed
        finally:
            self._watchers[job_id].discard(changed)
            if not self._watchers[job_id]:
                del self._watchers[job_id]

    async def _listen(self) -> None:
        while True:
            try:
                await self._follow()
            except UNREACHABLE as error:
                log.warning("Redis is not heard: %s", error)
            await asyncio.sleep(RECONNECT_S)

    async def _follow(self) -> None:
        async with self._client.pubsub() as subscription:
            await subscription.psubscribe(f"{CHANGED}*")
            heard = time.monotonic()
            while True:
                message = await subscription.get_message(timeout=QUIET_S)
                if message is None:
                    if time.monotonic() - heard > 2 * QUIET_S:
                        raise TimeoutError("nothing came, not even an answer to a ping")
                    await subscription.ping()
                    continue
                heard = time.monotonic()
                match message["type"]:
                    case "psubscribe":  # anything may have happened before
                        for job_id in list(self._watchers):
                            self._wake(job_id)
                    case "pmessage":
                        self._wake(message["channel"].decode().removeprefix(CHANGED))

    def _wake(self, job_id: str) -> None:
        for changed in self._watchers.get(job_id, ()):
            changed.set()
