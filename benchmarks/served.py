"""`unseam serve` in a process of its own, for benchmarks that measure a real server."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Final

import httpx

START_S: Final = 300  # for a server to load and warm its networks


class BenchError(ValueError):
    """Nothing was measured; the text says why."""


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The address of `unseam serve`, once it is ready."""
    with started() as (url, _):
        yield url


@contextlib.contextmanager
def started() -> Iterator[tuple[str, int]]:
    """The address and the process number of `unseam serve`, once it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-c", "import sys; from service.cli import main; sys.exit(main())"]
    server = subprocess.Popen([*command, "serve", "--port", str(port)], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_ready(server, url)
        yield url, server.pid
    finally:
        server.terminate()
        server.wait()


def _wait_until_ready(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise BenchError("the server ended at once; `unseam serve` says why")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise BenchError(f"the server was not ready after {START_S} s")
