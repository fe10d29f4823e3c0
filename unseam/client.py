"""The client that waits."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
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
    A client is not made for a `url` without http:// or https:// (InvalidAddress), nor with a `key` that no header can
    carry (InvalidKey).
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
        self._http = httpx.Client(**exchange.connection(url, key), transport=transport)
        self._patience_s, self._on_wait = patience_s, on_wait
        self._turns = threading.BoundedSemaphore(exchange.positive(at_once))

    def restore(
        self,
        source: Source,
        *,
        task: str,
        to: str | os.PathLike[str] | None = None,
        on_progress: Callable[[Job], object] | None = None,
        **options: Unpack[Options],
    ) -> Restored:
        """Restore a picture, given as a path, bytes or an open file; files are sent as they are read.

        Args:
            source: the picture.
            task: one of `tasks()`.
            to: the file that the result is written to as it comes, whole or not at all, rather than to memory. Its
                suffix decides the kind of picture, where `format` does not.
            on_progress: is given the job at each change.
            options: see `unseam.Options`.

        A job that failed of what passes, such as a full disk, is made again. The picture is deleted on the server once
        it is here, and the job cancelled when this is interrupted, in so far as the server hears of it within a few
        seconds; else it deletes the result itself after its time (an hour, if not set otherwise).

        Raises OSError for files that cannot be read or written, ChangedFile for one that changes while it is sent, and
        MisnamedFile where `to` says another kind of picture than `format`.
        """
        path = placed(to)
        chosen = exchange.named(options, path)
        with self._turns:
            order = exchange.order(self._http, Original(source), task, chosen)
            patience = Patience(self._patience_s, self._on_wait)
            while True:
                try:
                    return self._restored(order, path, on_progress)
                except ProblemError as error:
                    if not exchange.again(error):
                        raise
                    time.sleep(patience.spend(error, again=True))

    def submit(self, source: Source, *, task: str, **options: Unpack[Options]) -> Job:
        """Send a picture and do not wait for it: `watch`, then `result`, then `cancel` to delete it."""
        return self._made(exchange.order(self._http, Original(source), task, options))

    def job(self, job_id: str) -> Job:
        """The job as it stands."""
        return answers.job(self._ask("GET", f"jobs/{job_id}"))

    def watch(self, job_id: str) -> Generator[Job, None, None]:
        """The job as it stands, then after each change, at last its end; a broken connection is taken up again."""
        request = self._http.build_request("GET", f"jobs/{job_id}/events")
        patience = Patience(self._patience_s, self._on_wait)
        while True:
            try:
                with closing(self._events(request)) as changes:
                    for job in changes:
                        patience.restore()
                        yield job
                        if job.ended:
                            return
                raise httpx.RemoteProtocolError("the stream of events ended early", request=request)
            except (httpx.RequestError, ProblemError) as error:
                time.sleep(patience.spend(error))

    def result(self, job: Job, *, to: str | os.PathLike[str] | None = None) -> Restored:
        """The picture of a job that succeeded, asked for again once where it is not the one that the job tells of.

        Args:
            job: as `watch` and `job` give it.
            to: the file that it is written to, as in `restore`.
        """
        job = job if job.result else self.job(job.id)
        request = self._http.build_request("GET", f"jobs/{job.id}/result")
        with arriving(placed(to), job) as arrival:
            for _ in range(2):
                answer = self._send(request, self._patience_s, arrival)
                if restored := arrival.restored(job, answer):
                    return restored
            raise answers.another(job, answer, arrival.size_bytes)

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

    def _restored(self, order: Order, to: Path | None, on_progress: Callable[[Job], object] | None) -> Restored:
        order.job = None
        try:
            order.job = self._made(order)
            with closing(self.watch(order.job.id)) as changes:
                for job in changes:
                    if on_progress:
                        on_progress(job)
            return self.result(exchange.succeeded(job), to=to)
        finally:
            with suppress(Exception):  # the picture is there, or its error is under way
                self._leave(order)

    def _leave(self, order: Order) -> None:
        """Leave no job behind, if that can be done in a few seconds; it is told once and again."""
        end = time.monotonic() + exchange.FAREWELL_S
        if order.job is None and order.upload.out:  # there may be one: ask which
            order.job = answers.job(answers.accepted(self._http.send(order.within(exchange.FAREWELL_S))))
        while order.job and (left_s := end - time.monotonic()) > 0:
            request = self._http.build_request("DELETE", f"jobs/{order.job.id}", timeout=left_s)
            try:
                answers.accepted(self._http.send(request))
                return
            except (httpx.RequestError, ProblemError) as error:
                time.sleep(Patience(end - time.monotonic()).spend(error))

    def _made(self, order: Order) -> Job:
        return answers.job(self._send(order.request, self._patience_s))

    def _events(self, request: httpx.Request) -> Generator[Job, None, None]:
        with self._opened(request) as answer:
            lines = Lines()
            for piece in answers.streamed(answer).iter_bytes():
                for data in lines.data(piece):
                    yield answers.event(data, answer)

    def _ask(self, method: str, address: str) -> httpx.Response:
        return self._send(self._http.build_request(method, address), patience_s=0)

    def _send(self, request: httpx.Request, patience_s: float, arrival: Arrival | None = None) -> httpx.Response:
        patience = Patience(patience_s, self._on_wait)
        while True:
            try:
                with self._opened(request) as answer:
                    if arrival is None:
                        answer.read()
                    else:
                        arrival.begin()
                        for piece in answer.iter_bytes(PIECE_BYTES):
                            arrival.take(piece)
                    return answer
            except (httpx.RequestError, ProblemError) as error:
                settle(request, error)
                time.sleep(patience.spend(error))

    @contextmanager
    def _opened(self, request: httpx.Request) -> Iterator[httpx.Response]:
        """The answer, of which only the head has come; the ProblemError of one that is no success is raised."""
        answer = self._http.send(request, stream=True)
        try:
            if not answer.is_success:
                answer.read()
            yield answers.accepted(answer)
        finally:
            answer.close()
