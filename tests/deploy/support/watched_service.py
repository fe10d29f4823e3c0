"""The service with everything around it that Prometheus scrapes, as processes on this machine.

API, worker, Redis, its exporter, the proxy and Prometheus are the real ones with the files of deploy/. A stand-in for
NVIDIA's exporter answers with the counters that deploy/dcgm/counters.csv asks the real one for.
"""

from __future__ import annotations

import contextlib
import csv
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import onnx_inverter
import yaml

from benchmarks.ports import free_port

DEPLOY = Path(__file__).parents[3] / "deploy"
PROGRAMS = ("haproxy", "prometheus", "prometheus-redis-exporter", "redis-server")
UNSEAM = [sys.executable, "-c", "import sys; from service.cli import main; sys.exit(main())"]


class Watched:
    """Where it all is."""

    def __init__(self, service: str, prometheus: str) -> None:
        self.service = httpx.Client(base_url=service, timeout=30)
        self.prometheus = httpx.Client(base_url=prometheus, timeout=30)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What Prometheus answers now; an error of its is an AssertionError with its words."""
        answer = self.prometheus.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        assert "warnings" not in answer, f"{expression}: {answer['warnings']}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def names(self) -> set[str]:
        """Of all metrics that were scraped or recorded."""
        return set(self.prometheus.get("/api/v1/label/__name__/values").json()["data"])


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """All of it, ready; whatever was started is ended."""
    ports = {name: free_port() for name in ("redis", "api", "worker", "proxy", "watch", "redis-exporter", "prometheus")}
    redis = f"redis://127.0.0.1:{ports['redis']}"
    environment = os.environ | {
        "UNSEAM_ARTIFACTS": str(onnx_inverter.write(folder / "artifacts")),
        "UNSEAM_BLOBS": str(folder / "blobs"),
        "UNSEAM_SPOOL": str(folder / "spool"),
        "UNSEAM_REDIS_URL": redis,
        "UNSEAM_PORT": str(ports["api"]),
        "UNSEAM_METRICS_PORT": str(ports["worker"]),
        "UNSEAM_THREADS": "1",
    }
    with contextlib.ExitStack() as stack:

        def start(*command: object) -> None:
            log = stack.enter_context((folder / "log").open("a"))
            process = subprocess.Popen(list(map(str, command)), env=environment, cwd=folder, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.kill)

        gpu_port = stack.enter_context(_gpus())
        start("redis-server", _redis(folder, ports["redis"]))
        start("prometheus-redis-exporter", "-redis.addr", redis, "-web.listen-address", f":{ports['redis-exporter']}")
        start(*UNSEAM, "serve")
        start(*UNSEAM, "worker")
        start("haproxy", "-f", _proxy(folder, ports))
        targets = {
            "api": ports["api"], "worker": ports["worker"], "redis": ports["redis-exporter"], "proxy": ports["watch"],
            "gpu": gpu_port, "prometheus": ports["prometheus"],
        }  # fmt: skip
        start(
            "prometheus",
            f"--config.file={_prometheus(folder, targets)}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
        )
        there = Watched(f"http://127.0.0.1:{ports['proxy']}", f"http://127.0.0.1:{ports['prometheus']}")
        stack.callback(there.service.close)
        stack.callback(there.prometheus.close)
        wait_for(lambda: there.service.get("/readyz").status_code == 200, "the service through the proxy", folder)
        wait_for(lambda: len(there.query("up == 1")) == len(targets), "Prometheus to see every target", folder)
        yield there


def wait_for(condition: Callable[[], bool], what: str, folder: Path | None = None, seconds: float = 60) -> None:
    """Ask until it is so; an AssertionError with the processes' last words if it does not come to be."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError, json.JSONDecodeError):
            if condition():
                return
        time.sleep(0.2)
    words = (folder / "log").read_text()[-3000:] if folder else ""
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}\n{words}")


def missing_programs() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name) is None]


def dcgm_counters() -> set[str]:
    lines = (DEPLOY / "dcgm" / "counters.csv").read_text().splitlines()
    return {row[0] for row in csv.reader(line for line in lines if not line.startswith("#"))}


def _redis(folder: Path, port: int) -> Path:
    text = (DEPLOY / "redis" / "redis.conf").read_text()
    text = text.replace("port 6379", f"port {port}").replace("dir /data", f"dir {folder}")
    return _written(folder / "redis.conf", text.replace("bind * -::*", "bind 127.0.0.1"))


def _proxy(folder: Path, ports: dict[str, int]) -> Path:
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    for before, after in (
        ("bind :8000", f"bind 127.0.0.1:{ports['proxy']}"),
        ("bind :8405", f"bind 127.0.0.1:{ports['watch']}"),
        ("server-template api- 16 api:8000", f"server api-1 127.0.0.1:{ports['api']}"),
        (" init-addr none resolvers docker resolve-prefer ipv4", ""),
    ):
        assert before in text
        text = text.replace(before, after)
    return _written(folder / "haproxy.cfg", text)


def _prometheus(folder: Path, targets: dict[str, int]) -> Path:
    """The real configuration, but for where the targets are and how often they are asked."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(DEPLOY / "prometheus" / "rules" / "*.yml")]
    del config["alerting"]
    jobs = [job["job_name"] for job in config["scrape_configs"]]
    assert set(jobs) == set(targets)
    config["scrape_configs"] = [
        {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{targets[name]}"]}]} for name in jobs
    ]
    return _written(folder / "prometheus.yml", yaml.safe_dump(config))


@contextlib.contextmanager
def _gpus() -> Iterator[int]:
    """A stand-in for NVIDIA's exporter: one GPU, at work."""
    busy = "".join(f'{name}{{gpu="0",Hostname="here"}} 42\n' for name in sorted(dcgm_counters()))

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(busy.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
