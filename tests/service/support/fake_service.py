"""A real HTTP server that speaks as the service does, reverses bytes for pictures, and misbehaves on request."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Headers = Mapping[str, str]


class FakeService(ThreadingHTTPServer):
    """Answers as the service does, but for what is scripted.

    Attributes:
        url: where it is.
        asked: every request, as `POST restore` or `GET events`.
        jobs: the bytes of every job's picture, by its id, which is the Idempotency-Key.
        headers: those of every request.
        present: jobs that have been neither cancelled nor deleted.
        most: so many were present at once.
        ready: while it is not set, jobs go on.
        gone: for scripts that hang: set at the end.
        seconds: that a job takes at least.
        error: with which jobs fail, if any.
    """

    daemon_threads = True
    request_queue_size = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[str] = []
        self.headers: list[Headers] = []
        self.jobs: dict[str, bytes] = {}
        self.present: set[str] = set()
        self.most = 0
        self.ready = threading.Event()
        self.ready.set()
        self.gone = threading.Event()
        self.seconds = 0.0
        self.error: dict[str, object] | None = None
        self._scripts: dict[str, list[Callable[[_Handler], object]]] = {}
        self._lock = threading.Lock()

    def script(self, asked: str, *does: Callable[[_Handler], object]) -> None:
        """What is done for the next requests of a kind, one after the other, instead of the service's answer."""
        self._scripts.setdefault(asked, []).extend(does)

    def forget_scripts(self) -> None:
        self._scripts.clear()

    def count(self, asked: str) -> int:
        return self.asked.count(asked)

    def noted(self, asked: str, headers: Headers) -> Callable[[_Handler], object] | None:
        with self._lock:
            self.asked.append(asked)
            self.headers.append(headers)
            waiting = self._scripts.get(asked)
            return waiting.pop(0) if waiting else None

    def take(self, job_id: str, content: bytes) -> None:
        with self._lock:
            self.jobs[job_id] = content
            self.present.add(job_id)
            self.most = max(self.most, len(self.present))

    def view(self, job_id: str, state: str) -> dict[str, object]:
        body = {"id": job_id, "state": state, "task": "derain", "model": "fake", "tiles_done": 0, "tiles_total": 1}
        if state == "succeeded":
            picture = self.jobs[job_id][::-1]
            digest = hashlib.sha256(picture).hexdigest()
            sides = {"width": 1, "height": 1}
            body["result"] = {"media_type": "image/png", "size_bytes": len(picture), "sha256": digest, **sides}
        return body | ({"error": self.error} if state == "failed" else {})

    def handle_error(self, *_: object) -> None:
        """Clients that go are no news."""


class _Handler(BaseHTTPRequestHandler):
    server: FakeService
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        tail = self.path.partition("?")[0].rsplit("/", 1)[-1]
        kind = tail if tail in ("restore", "tasks", "models", "events", "result") else "job"
        if script := self.server.noted(f"{self.command} {kind}", dict(self.headers)):
            script(self)
        else:
            getattr(self, f"{self.command.lower()}_{kind}")()

    do_POST = do_DELETE = do_GET  # noqa: N815 - as http.server calls them

    def body(self) -> bytes:
        size = int(self.headers["Content-Length"])
        if len(body := self.rfile.read(size)) < size:
            raise ConnectionAbortedError("the client has gone")
        return body

    def post_restore(self) -> None:
        job_id = self.headers["Idempotency-Key"]
        self.server.take(job_id, self.body())
        self.say(202, self.server.view(job_id, "queued"))

    def get_tasks(self) -> None:
        self.say(200, [{"task": "derain"}])

    def get_events(self) -> None:
        self.begin_events()
        self.server.ready.wait(60)
        time.sleep(self.server.seconds)
        self._event("end", "failed" if self.server.error else "succeeded")

    def begin_events(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self._event("progress", "queued")

    def get_job(self) -> None:
        self.say(200, self.server.view(self.job_id, "failed" if self.server.error else "succeeded"))

    def get_result(self) -> None:
        self.answer(200, self.server.jobs[self.job_id][::-1], {"Content-Type": "image/png"})

    def delete_job(self) -> None:
        self.server.present.discard(self.job_id)
        self.say(200, self.server.view(self.job_id, "cancelled"))

    @property
    def job_id(self) -> str:
        return self.path.split("/")[2]

    def _event(self, name: str, state: str) -> None:
        data = json.dumps(self.server.view(self.job_id, state), ensure_ascii=False)
        self.wfile.write(f"event: {name}\ndata: {data}\n\n".encode())
        self.wfile.flush()

    def say(self, status: int, body: object, headers: Headers | None = None) -> None:
        self.answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"} | dict(headers or {}))

    def answer(self, status: int, content: bytes, headers: Headers | None = None) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | dict(headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Not on the terminal of a test."""


def says(status: int, content: str, **headers: str) -> Callable[[_Handler], object]:
    """A script: take the body, if there is one, and answer."""

    def script(handler: _Handler) -> None:
        if handler.command == "POST":
            handler.body()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.answer(status, content.encode(), {"Content-Type": "text/html"} | named)

    return script


def problem(status: int, kind: str, **headers: str) -> Callable[[_Handler], object]:
    """A script: answer with one of the service's errors."""
    body = {"type": f"urn:unseam:problem:{kind}", "title": kind, "status": status, "detail": f"It is {kind}."}
    return says(status, json.dumps(body), Content_Type="application/problem+json", **headers)


@contextlib.contextmanager
def faking() -> Iterator[FakeService]:
    """The server, in threads of this process."""
    with FakeService() as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield service
        finally:
            service.ready.set()
            service.gone.set()
            service.shutdown()
            thread.join()
