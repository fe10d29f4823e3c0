"""The compose stack of a CPU host, under a project name, ports and secrets of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import yaml

from benchmarks.ports import free_port

ROOT: Final = Path(__file__).parents[2]
WHEELS: Final = ROOT / "docker" / "wheels"
PROJECT: Final = "unseam-test"
WORKER: Final = "worker-cpu"
UNAVAILABLE: Final = {"grafana"}  # no package has it; its dashboards' queries are asked of Prometheus here


class Stack:
    """A running stack and what one does with it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.deploy = folder / "checkout" / "deploy"
        self._environment = environment
        self._ports = {name: free_port() for name in ("HTTP", "PROMETHEUS", "ALERTMANAGER", "GRAFANA")}
        self._copy(folder / "checkout")
        address = "http://127.0.0.1:{}".format
        self.service = httpx.Client(base_url=address(self._ports["HTTP"]), timeout=300)
        self.alertmanager = httpx.Client(base_url=address(self._ports["ALERTMANAGER"]), timeout=30)
        self.prometheus = httpx.Client(base_url=address(self._ports["PROMETHEUS"]), timeout=30)

    def _copy(self, checkout: Path) -> None:
        """The files that are committed or new, not those that git ignores: what a user builds from."""
        shutil.rmtree(checkout, ignore_errors=True)
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
        for name in filter(None, names):
            if (ROOT / name).is_file():
                target = checkout / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)
        for wheel in WHEELS.glob("*.whl"):
            shutil.copy2(wheel, checkout / WHEELS.relative_to(ROOT))
        subprocess.run([self.deploy / "prepare", "cpu"], check=True)
        lines = (self.deploy / ".env").read_text().splitlines()
        given = {f"{name}_PORT": str(port) for name, port in self._ports.items()}
        given |= {"COMPOSE_PROJECT_NAME": PROJECT, "UNSEAM_THREADS": "1", "UNSEAM_SWEEP_S": "5"}
        lines = [line for line in lines if line.partition("=")[0] not in given]
        (self.deploy / ".env").write_text("\n".join([*lines, *(f"{name}={value}" for name, value in given.items())]))

    def compose(self, *words: str, **options: Any) -> str:
        """docker-compose as deploy/.env has it; what it printed."""
        return self.run("docker-compose", *words, **options)

    def run(self, *words: str, check: bool = True) -> str:
        """A command in deploy/, with its words in the error if it fails."""
        environment = self._environment | {"COMPOSE": "docker-compose", "BUILD": "no"}
        done = subprocess.run(words, cwd=self.deploy, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, f"{' '.join(words)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """Of a CPU host, without those that cannot be had here."""
        all_: dict[str, dict[str, Any]] = yaml.safe_load(self.compose("config"))["services"]
        return {name: one for name, one in all_.items() if not one.get("profiles") and name not in UNAVAILABLE}

    def containers(self, service: str) -> list[str]:
        """The ids of a service's running containers."""
        return self.compose("ps", "-q", service).split()

    def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        found: list[dict[str, Any]] = json.loads(self.run("docker", "inspect", container))
        return found[0]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What Prometheus answers; its errors are AssertionErrors."""
        answer = self.prometheus.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def faulty_rules(self) -> list[str]:
        """The rules that Prometheus could not evaluate, with its words."""
        groups = self.prometheus.get("/api/v1/rules").json()["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert rules, "Prometheus has no rules"
        return [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] != "ok"]

    def firing(self) -> set[str]:
        """The alerts that fire."""
        alerts = self.prometheus.get("/api/v1/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def down(self) -> None:
        """Remove containers, networks and volumes."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")


@contextlib.contextmanager
def stack(folder: Path, environment: dict[str, str]) -> Iterator[Stack]:
    """A stack that is not up yet; taken down at the end, after its logs were kept in `folder`."""
    made = Stack(folder, environment)
    try:
        yield made
    finally:
        (folder / "stack.log").write_text(made.compose("logs", "--no-color", "--timestamps", check=False))
        made.down()


def wait_for(condition: Callable[[], object], what: str, seconds: float = 120) -> float:
    """Ask until it is so; returns the seconds it took. AssertionError if it does not come to be."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        with contextlib.suppress(httpx.TransportError, ValueError, LookupError):
            if condition():
                return time.monotonic() - start
        time.sleep(0.5)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
