"""The service as a user starts it, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]


@contextlib.contextmanager
def serving(artifacts: Path, **settings: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`unseam serve` as a user starts it, once it is ready; yields its host:port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "import sys; from service.cli import main; sys.exit(main())", "serve"]
    environment = os.environ | {"UNSEAM_ARTIFACTS": str(artifacts), **settings}
    process = subprocess.Popen(
        [*command, "--port", str(port)], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            time.sleep(0.05)
        assert process.poll() is None, process.stderr and process.stderr.read()
        yield f"localhost:{port}", process
    finally:
        process.kill()
        process.communicate()
