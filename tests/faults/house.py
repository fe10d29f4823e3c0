"""The whole service as real processes, each started again when it ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
from redis_bench import RedisServer

from benchmarks.ports import free_port

ROOT = Path(__file__).parents[2]
SERVICE = [sys.executable, "-c", "import sys; from service.cli import main; sys.exit(main())"]
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


class Supervised:
    """A process that is started again half a second after it ended, as an orchestrator does."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name, self._command, self._environment = name, command, environment
        self._log = log.open("ab")
        self._over = threading.Event()
        self.starts = 0
        self._start()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def kill(self) -> None:
        self.process.kill()

    def stop(self) -> None:
        self._over.set()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._thread.join()
        self._log.close()

    def _start(self) -> None:
        self.starts += 1
        self.process = subprocess.Popen(
            self._command, cwd=ROOT, env=self._environment, stdout=self._log, stderr=self._log
        )

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            if self.process.poll() is not None and not self._over.wait(0.5):
                self._start()


class House:
    """One Redis, two APIs, two workers, two janitors."""

    def __init__(self, folder: Path, artifacts: Path, blobs: Path) -> None:
        self.folder, self.blobs = folder, blobs
        self._clocks = {name: folder / f"{name}.clock" for name in ("janitor", "worker")}
        for clock in self._clocks.values():
            clock.write_text("+0")
        self.redis = RedisServer(folder / "redis")
        self.redis.start()
        environment = os.environ | {
            "UNSEAM_REDIS_URL": self.redis.url,
            "UNSEAM_ARTIFACTS": str(artifacts),
            "UNSEAM_BLOBS": str(blobs),
            "UNSEAM_SPOOL": str(folder / "spool"),
            "UNSEAM_RESULT_TTL_S": "60",
            "UNSEAM_RECORD_TTL_S": "1",
            "UNSEAM_SWEEP_S": "15",
            "UNSEAM_MAX_ATTEMPTS": "4",
            "UNSEAM_LARGE_TILE_UNITS": "3",
            "UNSEAM_DRAIN_S": "5",
            "UNSEAM_THREADS": "1",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/service/support'}",
            "OMP_NUM_THREADS": "1",
        }

        def supervised(name: str, *command: str, env: dict[str, str] = environment) -> Supervised:
            return Supervised(name, list(command), env, folder / "log")

        self._ports = free_port(), free_port()
        self.apis = [supervised(f"api{n}", *SERVICE, "serve", "--port", str(p)) for n, p in enumerate(self._ports)]
        worker = sys.executable, str(ROOT / "tests/faults/worker.py")
        self.workers = [
            supervised("worker0", *worker, env=self._with_clock("worker", environment)),
            supervised("worker1", *worker),
        ]
        self.janitors = [
            supervised(f"janitor{n}", *SERVICE, "janitor", env=self._with_clock("janitor", environment))
            for n in range(2)
        ]

    def url(self) -> str:
        """One of the APIs."""
        return f"http://127.0.0.1:{random.choice(self._ports)}"

    def wait_until_ready(self, timeout_s: float = 120) -> None:
        deadline = time.monotonic() + timeout_s
        for port in self._ports:
            while True:
                try:
                    if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the service is not ready; see {self.folder / 'log'}")
                time.sleep(0.1)

    def set_clock(self, name: str, offset: str) -> None:
        """Let a process see another time, `+3600` or `-3600` seconds off."""
        self._clocks[name].write_text(offset)

    def stop(self) -> None:
        for process in (*self.apis, *self.workers, *self.janitors):
            process.stop()

    def _with_clock(self, name: str, environment: dict[str, str]) -> dict[str, str]:
        if not FAKETIME.exists():
            return environment
        return environment | {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._clocks[name]),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
