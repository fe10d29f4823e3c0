"""A network that inverts pictures, and the service around it."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray
from PIL import Image

from export.manifest import Graph, Manifest
from service.api import app as application
from service.api.server import Server
from service.catalogue import Artifact, Catalogue
from service.settings import Settings

DIGEST = "0" * 64
TILE = 64


def manifest(**changes: object) -> Manifest:
    graphs = (Graph(tile=TILE, file="model.onnx", sha256=DIGEST, nodes=1),)
    fields = {
        "name": "inverter", "version": 1, "task": "derain", "network": "inverter", "scale": 1, "in_channels": 3,
        "out_channels": 3, "lattice": 8, "halo": 8, "weights_sha256": DIGEST, "graphs": graphs, "backends": ("onnx",),
    }  # fmt: skip
    return Manifest.model_validate(fields | changes)


class Inverter:
    """A runner that answers 1 - x; it can be made to wait, also after some tiles, to fail and to be slow."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None
        self.seconds = 0.0
        self.tiles = 0
        self.stops_after: int | None = None

    def __call__(self, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        if not tiles.any():  # the warm-up
            return tiles
        time.sleep(self.seconds)
        if self.tiles == self.stops_after:
            self.stops_after = None
            self.go.clear()
        assert self.go.wait(120)
        if self.error:
            raise self.error
        self.tiles += len(tiles)
        return 1 - tiles


class Bench:
    """Makes the service on a table: settings in, a client out.

    Attributes:
        guests: called before the service stops: how those who still use it take their leave.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runner = Inverter()
        self.guests: list[Callable[[], object]] = []
        self.catalogue = Catalogue([Artifact(folder, manifest())])

    def app(self, **settings: object) -> FastAPI:
        chosen = Settings.model_validate({"spool": self.folder, "jobs_at_once": 1, **settings})
        return application.create(chosen, self.catalogue, load=self.load)

    def load(self, *_: object, **__: object) -> Inverter:
        return self.runner

    @contextlib.contextmanager
    def client(self, **settings: object) -> Iterator[httpx.Client]:
        """A client of the real server on a free port of the loopback."""
        with served(self.app(**settings)) as address, httpx.Client(base_url=address, timeout=120) as client:
            try:
                yield client
            finally:
                for leave in self.guests:
                    leave()
                self.runner.go.set()


@contextlib.contextmanager
def served(app: FastAPI) -> Iterator[str]:
    server = Server(app, drain_s=1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive()
                time.sleep(0.005)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def picture(width: int = 40, height: int = 30, seed: int = 1, mode: str = "RGB") -> Image.Image:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    return Image.fromarray(np.random.default_rng(seed).integers(1, 255, shape, dtype=np.uint8))


def encoded(image: Image.Image, format: str = "png") -> bytes:
    file = io.BytesIO()
    image.save(file, format)
    return file.getvalue()


def png(width: int = 40, height: int = 30, seed: int = 1) -> bytes:
    return encoded(picture(width, height, seed))


def pixels(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)))


def inverted(content: bytes) -> NDArray[np.uint8]:
    return 255 - pixels(content)


def wait_for(condition: Callable[[], object], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_state(client: httpx.Client, job: str, *states: str, timeout_s: float = 60) -> dict[str, object]:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        body: dict[str, object] = client.get(f"/jobs/{job}").json()
        if body["state"] in states:
            return body
        time.sleep(0.01)
    raise AssertionError(f"the job is {body['state']}, not {' or '.join(states)}")
