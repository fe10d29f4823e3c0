"""uvicorn, which before it cuts connections off lets those who still wait have an answer."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

import uvicorn
from fastapi import FastAPI

LAST_WORDS_S: Final = 1.0  # for those answers


class Server(uvicorn.Server):
    """Serves an application of `service.api.app`.

    Args:
        app: the application.
        drain_s: how long requests may take to end at shutdown, seconds.
        options: uvicorn's.
    """

    def __init__(self, app: FastAPI, *, drain_s: float, **options: Any) -> None:
        self._app, self._drain_s = app, drain_s
        super().__init__(
            uvicorn.Config(
                app, timeout_graceful_shutdown=round(drain_s), log_config=None, server_header=False, **options
            )
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for requests to end; when there is hardly time left, tell those that wait for a picture."""
        closing: asyncio.Event = self._app.state.services.closing
        asyncio.get_running_loop().call_later(max(0.0, self._drain_s - LAST_WORDS_S), closing.set)
        await super().shutdown(sockets)
