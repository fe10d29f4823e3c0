"""Which methods an address takes: HEAD wherever GET is (RFC 9110, 9.1), and a refusal that names them all (15.5.6)."""

from __future__ import annotations

from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Methods:
    """ASGI middleware. FastAPI's own routes take no HEAD with GET, and say which methods one of them takes alone.

    The server leaves the body of an answer to HEAD out. Routes whose body is long to make have a HEAD of their own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102 - ASGI's
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        asked = dict(scope)  # as it came: on its way it is changed

        async def answer(message: Message) -> None:
            # Where none is found, the address leads into a folder of files, which has named them itself.
            if message["type"] == "http.response.start" and message["status"] == 405 and (allowed := _allowed(asked)):
                MutableHeaders(scope=message)["Allow"] = ", ".join(allowed)
            await send(message)

        if scope["method"] == "HEAD" and "GET" in (declared := _declared(asked)) and "HEAD" not in declared:
            scope = asked | {"method": "GET"}
        await self._app(scope, receive, answer)


def _allowed(scope: dict[str, Any]) -> list[str]:
    declared = _declared(scope)
    return [method for method in _METHODS if method in declared or (method == "HEAD" and "GET" in declared)]


def _declared(scope: dict[str, Any]) -> set[str]:
    """The methods for which there is a route to an address."""
    routes: list[BaseRoute] = [route for route in scope["app"].routes if not isinstance(route, Mount)]
    return {
        method
        for method in _METHODS
        if any(route.matches(scope | {"method": method})[0] is Match.FULL for route in routes)
    }
