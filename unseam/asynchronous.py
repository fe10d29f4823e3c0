"""The client for asyncio: the same methods as `Client`, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Self, Unpack

import httpx

from unseam import answers, exchange
from unseam.address import address, headers
from unseam.errors import ProblemError
from unseam.events import Lines
from unseam.exchange import LIMITS, TIMEOUT, Options
from unseam.job import Job
from unseam.patience import PATIENCE_S, Notice, Patience
from unseam.picture import Restored, Source, content


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
        self._http = httpx.AsyncClient(
            base_url=address(url, key),
            headers=headers(key),
            timeout=TIMEOUT,
            limits=LIMITS,
            transport=transport,
        )
        self._patience_s, self._on_wait = patience_s, on_wait
        self._turns = asyncio.Semaphore(exchange.positive(at_once))

    async def restore(
        self,
        source: Source,
        *,
        task: str,
        on_progress: Callable[[Job], object] | None = None,
        **options: Unpack[Options],
    ) -> Restored:
        """Restore a picture; see `Client.restore`. Cancelling the coroutine cancels the job."""
        async with self._turns:
            sent = await self.submit(source, task=task, **options)
            try:
                async for job in self.watch(sent.id):
                    if on_progress:
                        on_progress(job)
                return await self.result(exchange.succeeded(job))
            finally:
                with suppress(Exception):  # the picture is there, or its error is under way
                    await asyncio.shield(self.cancel(sent.id))

    async def submit(self, source: Source, *, task: str, **options: Unpack[Options]) -> Job:
        """Send a picture and do not wait for it."""
        data = await asyncio.to_thread(content, source)
        request = exchange.submission(self._http, data, task, options)
        return answers.job(await self._send(request, self._patience_s))

    async def job(self, job_id: str) -> Job:
        """The job as it stands."""
        return answers.job(await self._ask("GET", f"jobs/{job_id}"))

    async def watch(self, job_id: str) -> AsyncIterator[Job]:
        """The job as it stands, then after each change, at last its end."""
        request = self._http.build_request("GET", f"jobs/{job_id}/events")
        patience = Patience(self._patience_s, self._on_wait)
        while True:
            try:
                async for job in self._events(request):
                    patience.restore()
                    yield job
                    if job.ended:
                        return
                raise httpx.RemoteProtocolError("the stream of events ended early", request=request)
            except (httpx.RequestError, ProblemError) as error:
                await asyncio.sleep(patience.spend(error))

    async def result(self, job: Job) -> Restored:
        """The picture of a job that succeeded; see `Client.result`."""
        job = job if job.result else await self.job(job.id)
        request = self._http.build_request("GET", f"jobs/{job.id}/result")
        for _ in range(2):
            answer = await self._send(request, self._patience_s)
            if restored := await asyncio.to_thread(answers.picture, answer, job):
                return restored
        raise answers.another(job, answer)

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
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _events(self, request: httpx.Request) -> AsyncIterator[Job]:
        answer = await self._http.send(request, stream=True)
        try:
            if not answer.is_success:
                await answer.aread()
            lines = Lines()
            async for piece in answers.streamed(answers.accepted(answer)).aiter_bytes():
                for data in lines.data(piece):
                    yield answers.event(data, answer)
        finally:
            await answer.aclose()

    async def _ask(self, method: str, address: str) -> httpx.Response:
        return await self._send(self._http.build_request(method, address), patience_s=0)

    async def _send(self, request: httpx.Request, patience_s: float) -> httpx.Response:
        patience = Patience(patience_s, self._on_wait)
        while True:
            try:
                return answers.accepted(await self._http.send(request))
            except (httpx.RequestError, ProblemError) as error:
                await asyncio.sleep(patience.spend(error))
