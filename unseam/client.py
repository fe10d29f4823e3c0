"""The client that waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
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


class Client:
    """Restores pictures through a service; several threads may use one client.

    Args:
        url: of the service.
        key: an API key, where the service wants one; white space around it does not count.
        patience_s: seconds from the first failure for which a full or unreachable service is asked again to take a
            picture, to tell of its progress and to give it back. A host that there is not, or a certificate that is
            not trusted, is not waited for.
        at_once: `restore` has no more pictures than that under way, from reading the file to the result; others wait.
        on_wait: is told each time of the error and of the seconds until the next attempt.
        transport: httpx's, for tests and proxies.

    Every method raises ProblemError for an error the service tells of, UnreachableError where there is no answer.
    A client is not made for a `url` without http:// or https:// (InvalidAddress), nor
    with a `key` that no header can carry (InvalidKey).
    """

    def __init__(
        self,
        url: str = "http://localhost:8000",
        *,
        key: str | None = None,
        patience_s: float = PATIENCE_S,
        at_once: int = exchange.AT_ONCE,
        on_wait: Notice | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=address(url, key),
            headers=headers(key),
            timeout=TIMEOUT,
            limits=LIMITS,
            transport=transport,
        )
        self._patience_s, self._on_wait = patience_s, on_wait
        self._turns = threading.BoundedSemaphore(exchange.positive(at_once))

    def restore(
        self,
        source: Source,
        *,
        task: str,
        on_progress: Callable[[Job], object] | None = None,
        **options: Unpack[Options],
    ) -> Restored:
        """Restore a picture, given as a path, bytes or an open file.

        Args:
            source: the picture.
            task: one of `tasks()`.
            on_progress: is given the job at each change.
            options: see `unseam.exchange.Options`.

        Nothing is left on the server, not even when this is interrupted: then the job is cancelled.
        """
        with self._turns:
            sent = self.submit(source, task=task, **options)
            try:
                for job in self.watch(sent.id):
                    if on_progress:
                        on_progress(job)
                return self.result(exchange.succeeded(job))
            finally:
                with suppress(Exception):  # the picture is there, or its error is under way
                    self.cancel(sent.id)

    def submit(self, source: Source, *, task: str, **options: Unpack[Options]) -> Job:
        """Send a picture and do not wait for it: `watch`, then `result`."""
        request = exchange.submission(self._http, content(source), task, options)
        return answers.job(self._send(request, self._patience_s))

    def job(self, job_id: str) -> Job:
        """The job as it stands."""
        return answers.job(self._ask("GET", f"jobs/{job_id}"))

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job as it stands, then after each change, at last its end; a broken connection is taken up again."""
        request = self._http.build_request("GET", f"jobs/{job_id}/events")
        patience = Patience(self._patience_s, self._on_wait)
        while True:
            try:
                for job in self._events(request):
                    patience.restore()
                    yield job
                    if job.ended:
                        return
                raise httpx.RemoteProtocolError("the stream of events ended early", request=request)
            except (httpx.RequestError, ProblemError) as error:
                time.sleep(patience.spend(error))

    def result(self, job: Job) -> Restored:
        """The picture of a job that succeeded, asked for again once where it is not the one that the job tells of."""
        job = job if job.result else self.job(job.id)
        request = self._http.build_request("GET", f"jobs/{job.id}/result")
        for _ in range(2):
            answer = self._send(request, self._patience_s)
            if restored := answers.picture(answer, job):
                return restored
        raise answers.another(job, answer)

    def cancel(self, job_id: str) -> Job:
        """End a job, or delete the result of one that has ended."""
        return answers.job(self._ask("DELETE", f"jobs/{job_id}"))

    def tasks(self) -> list[dict[str, Any]]:
        """What the service can do, and by which networks."""
        return answers.listed(self._ask("GET", "tasks"))

    def models(self) -> list[dict[str, Any]]:
        """The service's networks, and what was measured of them."""
        return answers.listed(self._ask("GET", "models"))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _events(self, request: httpx.Request) -> Iterator[Job]:
        answer = self._http.send(request, stream=True)
        try:
            if not answer.is_success:
                answer.read()
            lines = Lines()
            for piece in answers.streamed(answers.accepted(answer)).iter_bytes():
                for data in lines.data(piece):
                    yield answers.event(data, answer)
        finally:
            answer.close()

    def _ask(self, method: str, address: str) -> httpx.Response:
        return self._send(self._http.build_request(method, address), patience_s=0)

    def _send(self, request: httpx.Request, patience_s: float) -> httpx.Response:
        patience = Patience(patience_s, self._on_wait)
        while True:
            try:
                return answers.accepted(self._http.send(request))
            except (httpx.RequestError, ProblemError) as error:
                time.sleep(patience.spend(error))
