"""`unseam bench workers`: how much sooner two workers finish a large picture than one does, and whether with its bytes.

Everything is real: a redis-server, the API, workers of one thread each in processes of their own. Sharing shows its
worth where two cores are free, so it is also measured how much of two cores this machine has to give. With `--wait-ms`
nothing is computed, each tile just takes so long: that shows what sharing itself costs, on any machine.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import redis
from PIL import Image

from benchmarks import scene
from benchmarks.ports import free_port
from export import manifest as manifests
from export import storage
from service.catalogue import Catalogue
from service.jobs.records import WORKERS

GOAL: Final = 0.6  # of one worker's time
FREE: Final = 1.8  # cores; two that nobody else uses give nearly 2
START_S: Final = 300  # for networks to be loaded
SERVE: Final = [sys.executable, "-c", "import sys; from service.cli import main; sys.exit(main())", "serve"]


class BenchError(ValueError):
    """Nothing was measured; the text says why."""


@dataclass(frozen=True)
class Sharing:
    """What was measured.

    Attributes:
        network: that restored the picture.
        side: of the picture, pixels.
        tiles: it was cut into.
        one_s: from the job's start to its end, with one worker.
        two_s: likewise, with two.
        same_bytes: the two results are equal.
        cores: that two busy processes had together, the least that was seen before and after.
        wait_ms: what a tile took without being computed; None if the network ran.
    """

    network: str
    side: int
    tiles: int
    one_s: float
    two_s: float
    same_bytes: bool
    cores: float
    wait_ms: float | None

    @property
    def ratio(self) -> float:
        """Two workers' time over one's."""
        return self.two_s / self.one_s

    @property
    def two_cores_were_free(self) -> bool:
        """Whether the ratio says something about computing."""
        return self.cores >= FREE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--artifacts", type=Path, help="their folder (default $UNSEAM_ARTIFACTS, or ./artifacts)")
    parser.add_argument("--task", default="derain", help="whose network is taken (default derain)")
    parser.add_argument("--side", type=int, default=1536, help="of the picture, in pixels (default 1536)")
    parser.add_argument("--wait-ms", type=float, help="compute nothing: each tile takes so long")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def run(args: argparse.Namespace) -> int:
    """Restore the picture with one worker, then with two; 1 if the results differ."""
    found = measure(args.artifacts or storage.default_root(), args.task, args.side, args.wait_ms)
    if args.json:
        more = {"ratio": found.ratio, "goal": GOAL, "two_cores_were_free": found.two_cores_were_free}
        print(json.dumps(asdict(found) | more))
    else:
        print(_text(found))
    return 0 if found.same_bytes else 1


def measure(artifacts: Path, task: str, side: int, wait_ms: float | None = None) -> Sharing:
    """See `run`."""
    network = Catalogue.read(artifacts).find(task).manifest.name
    content = _picture(side)
    cores = free_cores()
    with tempfile.TemporaryDirectory(prefix="unseam-bench-") as name, _redis(Path(name)) as url:
        environment = {
            "UNSEAM_REDIS_URL": url,
            "UNSEAM_ARTIFACTS": str(artifacts.absolute()),
            "UNSEAM_BLOBS": f"{name}/blobs",
            "UNSEAM_SPOOL": f"{name}/spool",
            "UNSEAM_ONE_PASS": "true",
            "UNSEAM_LARGE_TILE_UNITS": "1",
            "UNSEAM_THREADS": "1",
        }
        with _api(environment) as address:
            seconds, results = [], []
            for count in (1, 2):
                with _workers(count, environment, wait_ms):
                    job, result = _restored(address, task, content)
                    start, end = (datetime.fromisoformat(job[moment]) for moment in ("started_at", "ended_at"))
                    seconds.append((end - start).total_seconds())
                    results.append(result)
    cores = min(cores, free_cores())
    one_s, two_s = seconds
    return Sharing(network, side, job["tiles_total"], one_s, two_s, results[0] == results[1], cores, wait_ms)


def free_cores(seconds: float = 1.0) -> float:
    """Cores that two busy processes get together."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return sum(pool.map(_busy, [seconds, seconds], chunksize=1))


def _busy(seconds: float) -> float:
    start, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        pass
    return (time.process_time() - cpu) / (time.perf_counter() - start)


def _picture(side: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray((255 * scene.draw(side, side)).round().clip(0, 255).astype(np.uint8)).save(file, "png")
    return file.getvalue()


def _restored(address: str, task: str, content: bytes) -> tuple[dict[str, Any], bytes]:
    with httpx.Client(base_url=address, timeout=60) as client:
        answer = client.post("/restore", params={"task": task}, content=content, headers={"Prefer": "respond-async"})
        if answer.status_code != 202:
            raise BenchError(f"the API answered {answer.status_code}: {answer.text[:300]}")
        path = f"/jobs/{answer.json()['id']}"
        while (job := client.get(path).json())["state"] in ("queued", "running"):
            time.sleep(0.1)
        if job["state"] != "succeeded":
            raise BenchError(f"the job {job['state']}: {job.get('error')}")
        result = client.get(f"{path}/result").content
        client.delete(path)
    return job, result


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[str]:
    if shutil.which("redis-server") is None:
        raise BenchError("redis-server is not installed")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with _process([*command, "--appendonly", "yes", "--logfile", str(folder / "redis.log")], {}):
        client = redis.Redis(port=port)
        _await(lambda: bool(client.ping()), "redis-server does not start")
        client.close()
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def _api(environment: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    with _process([*SERVE, "--port", str(port)], environment):
        address = f"http://127.0.0.1:{port}"
        _await(lambda: httpx.get(f"{address}/healthz").status_code == 200, "the API does not start")
        yield address


@contextlib.contextmanager
def _workers(count: int, environment: Mapping[str, str], wait_ms: float | None) -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(dict(environment), wait_ms)) for _ in range(count)]
    client = redis.Redis.from_url(environment["UNSEAM_REDIS_URL"])
    try:
        for process in processes:
            process.start()
        _await(lambda: client.zcard(WORKERS) == count, "the workers do not start")
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
        client.close()


def _work(environment: dict[str, str], wait_ms: float | None) -> None:
    """`unseam worker`, in a process of its own."""
    os.environ.update(environment)
    from service.commands import worker

    args = argparse.Namespace(device="cpu", metrics_port=0)
    worker.run(args, load=None if wait_ms is None else lambda _, path, **__: _Waiting(path, wait_ms / 1e3))


class _Waiting:
    """A network's runner that computes nothing: it waits, and answers its tiles, enlarged."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._manifest, self._seconds = manifests.load(path.parent), seconds

    def __call__(self, tiles: Any) -> Any:
        time.sleep(self._seconds * len(tiles))
        large = tiles.repeat(self._manifest.scale, axis=2).repeat(self._manifest.scale, axis=3)
        return np.resize(large, (len(tiles), self._manifest.out_channels, *large.shape[2:])).astype(np.float32)


@contextlib.contextmanager
def _process(command: list[str], environment: Mapping[str, str]) -> Iterator[None]:
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield
    finally:
        process.terminate()
        process.communicate()


def _await(condition: Any, otherwise: str) -> None:
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(httpx.TransportError, redis.RedisError):
            if condition():
                return
        if time.monotonic() > deadline:
            raise BenchError(otherwise)
        time.sleep(0.05)


def _text(found: Sharing) -> str:
    cores = f"two busy processes had {found.cores:.2f} cores here"
    if found.wait_ms is not None:
        worth = "nothing was computed, so this is what sharing itself leaves"
    elif found.two_cores_were_free:
        worth = f"{cores}; the goal is {GOAL}"
    else:
        worth = f"{cores}, so two cores were not free and the ratio says nothing about the goal of {GOAL}"
    return (
        f"{found.network}, {found.side} x {found.side} in {found.tiles} tiles: one worker {found.one_s:.1f} s, two "
        f"{found.two_s:.1f} s, ratio {found.ratio:.2f}; the bytes are {'equal' if found.same_bytes else 'DIFFERENT'}\n"
        f"{worth}"
    )
