"""Around every request: its id, its metrics, safe headers, and a problem for whatever slipped through as plain text."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api import problems
from service.errors import Failure
from service.metrics import Metrics

log = logging.getLogger(__name__)

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
NO_TASK: Final = "none"


class Observe:
    """ASGI middleware. Sets `request.state.request_id` and `.task`; the route overwrites `task` once it knows it.

    A client's X-Request-Id is kept where it is plain.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        state = scope.setdefault("state", {})
        state["request_id"], state["task"] = request_id, NO_TASK
        answer = _Answer(send, request_id)
        start = time.perf_counter()
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:
            log.exception("request %s failed", request_id)
            if answer.status:
                raise  # too late for words: the server cuts the connection
            problem = problems.of_failure(Failure.of(error), request_id)
            await problems.response(problem)(scope, receive, answer.send)
        finally:
            # 499, as nginx has it: the client went before there was an answer.
            self._metrics.http_requests.labels(state["task"], str(answer.status or 499)).inc()
            self._metrics.http_request_duration.labels(state["task"]).observe(time.perf_counter() - start)


class _Answer:
    """Passes an answer on; one that is an error in plain text (the framework's own) becomes a problem."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id = send, request_id
        self._replaced: MutableHeaders | None = None
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            headers["X-Content-Type-Options"] = "nosniff"
            if self.status >= 400 and headers.get("content-type", "").startswith("text/plain"):
                self._replaced = headers
                return
        elif self._replaced is not None:
            if not message.get("more_body"):
                await self._replace(self._replaced)
            return
        await self._send(message)

    async def _replace(self, headers: MutableHeaders) -> None:
        body = problems.response(problems.of_status(self.status, request_id=self._request_id)).body
        headers["Content-Type"], headers["Content-Length"] = problems.MEDIA_TYPE, str(len(body))
        await self._send({"type": "http.response.start", "status": self.status, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})
