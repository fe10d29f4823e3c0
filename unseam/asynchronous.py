"""The client for asyncio: the same methods as `Client`, awaited."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self, Unpack

import httpx

from unseam import answers, exchange
from unseam.arrival import Arrival, arriving, placed
from unseam.errors import ProblemError
from unseam.events import Lines
from unseam.exchange import Options
from unseam.job import Job
from unseam.original import PIECE_BYTES, Original, Source
from unseam.patience import PATIENCE_S, Notice, Patience
from unseam.picture import Restored
from unseam.upload import Order, settle


class AsyncClient:
    """Restores pictures through a service; see `Client`, whose arguments and errors these are."""

    def __init__(
        self,
        url: str = "http://localhost:8000",
        *,
        key: str | None = None,
        patience_s: float = PATIENCE_S,
        at_once: int = exchange.AT_ONCE,
        on_wait: Notice | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(**exchange.connection(url, key), transport=transport)
        self._patience_s, self._on_wait = patience_s, on_wait
        self._leaving: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(exchange.positive(at_once))

    async def restore(
        self,
        source: Source,
        *,
        task: str,
        to: str | os.PathLike[str] | None = None,
        on_progress: Callable[[Job], object] | None = None,
        **options: Unpack[Options],
    ) -> Restored:
        """Restore a picture; see `Client.restore`. Cancelling the coroutine cancels the job."""
        path = placed(to)
        chosen = exchange.named(options, path)
        async with self._turns:
            order = exchange.order(self._http, await asyncio.to_thread(Original, source), task, chosen)
            patience = Patience(self._patience_s, self._on_wait)
            while True:
                try:
                    return await self._restored(order, path, on_progress)
                except ProblemError as error:
                    if not exchange.again(error):
                        raise
                    await asyncio.sleep(patience.spend(error, again=True))

    async def submit(self, source: Source, *, task: str, **options: Unpack[Options]) -> Job:
        """Send a picture and do not wait for it; see `Client.submit`."""
        original = await asyncio.to_thread(Original, source)
        return await self._made(exchange.order(self._http, original, task, options))

    async def job(self, job_id: str) -> Job:
        """The job as it stands."""
        return answers.job(await self._ask("GET", f"jobs/{job_id}"))

    async def watch(self, job_id: str) -> AsyncGenerator[Job, None]:
        """The job as it stands, then after each change, at last its end."""
        request = self._http.build_request("GET", f"jobs/{job_id}/events")
        patience = Patience(self._patience_s, self._on_wait)
        while True:
            try:
                async with aclosing(self._events(request)) as changes:
                    async for job in changes:
                        patience.restore()
                        yield job
                        if job.ended:
                            return
                raise httpx.RemoteProtocolError("the stream of events ended early", request=request)
            except (httpx.RequestError, ProblemError) as error:
                await asyncio.sleep(patience.spend(error))

    async def result(self, job: Job, *, to: str | os.PathLike[str] | None = None) -> Restored:
        """The picture of a job that succeeded; see `Client.result`."""
        job = job if job.result else await self.job(job.id)
        request = self._http.build_request("GET", f"jobs/{job.id}/result")
        with arriving(placed(to), job) as arrival:
            for _ in range(2):
                answer = await self._send(request, self._patience_s, arrival)
                if restored := await asyncio.to_thread(arrival.restored, job, answer):
                    return restored
            raise answers.another(job, answer, arrival.size_bytes)

    async def cancel(self, job_id: str) -> Job:
        """End a job, or delete the result of one that has ended."""
        return answers.job(await self._ask("DELETE", f"jobs/{job_id}"))

    async def tasks(self) -> list[dict[str, Any]]:
        """What the service can do, and by which networks."""
        return answers.listed(await self._ask("GET", "tasks"))

    async def models(self) -> list[dict[str, Any]]:
        """The service's networks, and what was measured of them."""
        return answers.listed(await self._ask("GET", "models"))

    async def close(self) -> None:
        """Close the connections, once the service has heard of what was cancelled."""
        while self._leaving:
            await asyncio.wait(self._leaving)
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _restored(self, order: Order, to: Path | None, on_progress: Callable[[Job], object] | None) -> Restored:
        order.job = None
        try:
            order.job = await self._made(order)
            async with aclosing(self.watch(order.job.id)) as changes:
                async for job in changes:
                    if on_progress:
                        on_progress(job)
            return await self.result(exchange.succeeded(job), to=to)
        finally:
            leaving = asyncio.create_task(self._leave(order))
            self._leaving.add(leaving)  # `close` waits for it, whoever is cancelled again
            leaving.add_done_callback(self._leaving.discard)
            await asyncio.shield(leaving)

    async def _leave(self, order: Order) -> None:
        """Leave no job behind; see `Client`."""
        with suppress(Exception):  # the picture is there, or its error is under way
            async with asyncio.timeout(exchange.FAREWELL_S):
                if order.job is None and order.upload.out:  # there may be one: ask which
                    order.job = answers.job(answers.accepted(await self._http.send(order.within(exchange.FAREWELL_S))))
                if order.job:
                    request = self._http.build_request("DELETE", f"jobs/{order.job.id}")
                    await self._send(request, exchange.FAREWELL_S)

    async def _made(self, order: Order) -> Job:
        return answers.job(await self._send(order.request, self._patience_s))

    async def _events(self, request: httpx.Request) -> AsyncGenerator[Job, None]:
        async with self._opened(request) as answer:
            lines = Lines()
            async for piece in answers.streamed(answer).aiter_bytes():
                for data in lines.data(piece):
                    yield answers.event(data, answer)

    async def _ask(self, method: str, address: str) -> httpx.Response:
        return await self._send(self._http.build_request(method, address), patience_s=0)

    async def _send(self, request: httpx.Request, patience_s: float, arrival: Arrival | None = None) -> httpx.Response:
        patience = Patience(patience_s, self._on_wait)
        while True:
            try:
                async with self._opened(request) as answer:
                    if arrival is None:
                        await answer.aread()
                    else:
                        arrival.begin()
                        async for piece in answer.aiter_bytes(PIECE_BYTES):
                            await asyncio.to_thread(arrival.take, piece)
                    return answer
            except (httpx.RequestError, ProblemError) as error:
                settle(request, error)
                await asyncio.sleep(patience.spend(error))

    @asynccontextmanager
    async def _opened(self, request: httpx.Request) -> AsyncIterator[httpx.Response]:
        answer = await self._http.send(request, stream=True)
        try:
            if not answer.is_success:
                await answer.aread()
            yield answers.accepted(answer)
        finally:
            await answer.aclose()
