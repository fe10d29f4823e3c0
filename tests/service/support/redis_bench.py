"""A real redis-server, and the service over it: the API on a port, workers and a janitor in threads."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import redis
from service_bench import Bench, served

from benchmarks.ports import free_port
from imaging.codec import Limits
from service.engine import Options
from service.jobs import blobs, connection
from service.jobs.inference import Inference
from service.jobs.janitor import Janitor
from service.jobs.pace import Pace
from service.jobs.worker import RestorationWorker
from service.metrics import Metrics
from service.settings import Settings


class RedisServer:
    """`redis-server` with its data in a folder, on a port of the loopback; can be paused, killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        if shutil.which("redis-server") is None:
            pytest.skip("redis-server is not installed: tests/install-system-packages")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder),
            "--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--logfile", str(folder / "log"),
            *options,
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(port=self.port, socket_timeout=5)

    def start(self) -> None:
        self.process = subprocess.Popen(self._command)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(redis.RedisError):
                if self.client.ping():
                    return
            time.sleep(0.02)
        self.stop()
        raise AssertionError((self.folder / "log").read_text())

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.resume()
            self.kill()
        self.client.close()


class ThreadWorker(RestorationWorker):
    """A worker that may run in a thread: signals belong to the main one."""

    def _install_signal_handlers(self) -> None:
        pass

    def subscribe(self) -> None:
        pass  # RQ takes a second to end it


class RedisBench(Bench):
    """The service over Redis on a table; the network is the bench's `runner`."""

    def __init__(self, folder: Path, server: RedisServer) -> None:
        super().__init__(folder / "spool")
        self.folder.mkdir(parents=True)
        self.server = server
        self.blobs = folder / "blobs"
        self.metrics = Metrics()

    def settings(self, **changes: object) -> Settings:
        base = {"redis_url": self.server.url, "blobs": str(self.blobs), "spool": self.folder, "drain_s": 5}
        return Settings.model_validate(base | changes)

    @contextlib.contextmanager
    def client(self, **settings: object) -> Iterator[httpx.Client]:
        base = {"redis_url": self.server.url, "blobs": str(self.blobs)}
        with super().client(**(base | settings)) as client:
            yield client

    @contextlib.contextmanager
    def worker(self, load: Callable[..., object] | None = None, **changes: object) -> Iterator[ThreadWorker]:
        settings, pace = self.settings(**changes), Pace()
        inference = Inference(
            self.catalogue,
            Options(batch=settings.batch),
            metrics=self.metrics,
            pace=pace,
            fixed_batch=settings.fixed_batch,
            load=load or self.load,
        )
        limits = Limits(max_bytes=10**9, max_pixels=10**9, max_side=10**6)
        client, store = connection.connect(self.server.url), blobs.connect(settings.blobs)
        worker = ThreadWorker(client, settings, inference, store, limits=limits, metrics=self.metrics, pace=pace)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            assert inference.ready.wait(60)
            yield worker
        finally:
            worker._shutdown()
            thread.join(60)
            inference.stop(1)
            client.close()
            assert not thread.is_alive()

    @contextlib.contextmanager
    def janitor(self, **changes: object) -> Iterator[Janitor]:
        client, stop = connection.connect(self.server.url), threading.Event()
        settings = self.settings(**changes)
        janitor = Janitor(client, settings, blobs.connect(settings.blobs), f"janitor-{id(stop)}")
        thread = threading.Thread(target=janitor.run, args=(stop,))
        thread.start()
        try:
            yield janitor
        finally:
            stop.set()
            thread.join(60)
            client.close()
            assert not thread.is_alive()

    def left_behind(self) -> list[str]:
        """Keys and files, but for those that only say who was there lately."""
        lately = {"rq:queues", "unseam:served", "unseam:pace", "unseam:workers"}
        keys = {key.decode() for key in self.server.client.scan_iter()} - lately
        keys -= {key for key in keys if key.startswith(("rq:worker", "rq:clean", "rq:scheduler"))}
        return sorted(keys) + sorted(str(path) for path in self.blobs.rglob("*") if path.is_file())


__all__ = ["RedisBench", "RedisServer", "ThreadWorker", "served"]
