"""Pictures larger than a tile are exact in the embedded queue and in a worker alike."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
import small_networks
from numpy.typing import NDArray
from redis_bench import RedisBench
from service_bench import pixels, png, served

from export import runners
from imaging.codec import decode
from service.api import app as application
from service.catalogue import Artifact, Catalogue
from service.engine import Engine, Options
from service.planning import chart, mode
from service.settings import Settings

WIDTH, HEIGHT = 589, 70


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    root = tmp_path_factory.mktemp("artifacts")
    small_networks.write(root)
    return Artifact.read(root / "small")


@pytest.fixture(scope="module")
def whole(artifact: Artifact) -> NDArray[np.float32]:
    """What the untiled network makes of the picture, in levels of 8 bits."""
    engine = Engine(artifact, Options(threads=1))
    restored = engine.restore(decode(png(WIDTH, HEIGHT)).pixels, engine.chart(HEIGHT, WIDTH, tile=0))
    return np.rint(restored.clip(0, 1) * 255)


def the_same(content: bytes, whole: NDArray[np.float32]) -> bool:
    difference = np.abs(pixels(content) - whole)
    return bool(np.mean(difference == 0) >= 0.9995 and difference.max() <= 1)


def test_in_the_embedded_queue(tmp_path: Path, artifact: Artifact, whole: NDArray[np.float32]) -> None:
    assert mode(chart(artifact, HEIGHT, WIDTH)) == "staged"
    app = application.create(Settings(spool=tmp_path, threads=1), Catalogue([artifact]))
    with served(app) as address, httpx.Client(base_url=address, timeout=90) as client:
        answer = client.post("/restore?task=derain", content=png(WIDTH, HEIGHT), headers={"Prefer": "wait=60"})
    assert answer.status_code == 200
    assert the_same(answer.content, whole)


def test_in_a_worker(bench: RedisBench, artifact: Artifact, whole: NDArray[np.float32]) -> None:
    bench.catalogue = Catalogue([artifact])
    with bench.client(threads=1) as client, bench.worker(runners.load, threads=1):
        answer = client.post("/restore?task=derain", content=png(WIDTH, HEIGHT), headers={"Prefer": "wait=60"})
    assert answer.status_code == 200
    assert the_same(answer.content, whole)
