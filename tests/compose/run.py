"""Build the stack, start it, use it, hurt it, watch it, take it down: `make test-compose`. Prints what it checked.

Needs root on a Debian with docker.io, docker-compose, debootstrap and iptables (it then starts an engine of its own,
with images that stand in for those no registry here has), or `--engine` for the one that runs. Takes some minutes on
two free cores: most of it is the exporter's torch and the waiting for an alert. `--reuse DIR` keeps engine and images.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import checks
from engine import engine, make_stand_ins
from stack import PROJECT, ROOT, WHEELS, Stack, stack, wait_for

# Torch from a folder if pip has it: else the exporter's image takes gigabytes of CUDA for a CPU.
WHEEL: Final = "torch==2.13.0"


def main() -> int:
    """0 if every check passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", action="store_true", help="use the Docker engine that runs, with the real images")
    parser.add_argument("--reuse", type=Path, metavar="DIR", help="keep engine and images there, for the next run")
    parser.add_argument("--artifacts", type=Path, metavar="DIR", help="put these artifacts in place of exporting anew")
    parser.add_argument("--only", metavar="NAME,...", help=f"of {', '.join(check.__name__ for check in checks.ALL)}")
    args = parser.parse_args()
    chosen = [check for check in checks.ALL if not args.only or check.__name__ in args.only.split(",")]
    report = Report()
    with _folder(args.reuse) as folder, _engine(args.engine, folder) as environment:
        with stack(folder, environment) as made:
            with report.step("build and start"):
                _start(made, folder, environment, args)
            for check in chosen if not report.failed else ():
                with report.step(check.__name__.replace("_", " ")) as step:
                    step.found = check(made)
        with report.step("tear down"):
            for kind in (["ps", "--all"], ["volume", "ls"], ["network", "ls"]):
                left = made.run("docker", *kind, "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}")
                assert not left.split(), f"left behind: {left}"
    return report.end()


class Report:
    """Says what is checked, what came out, and how long it took."""

    def __init__(self) -> None:
        self.passed, self.failed = 0, 0
        self.found = ""

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Report]:
        """One check; a failed one is told and does not stop the others."""
        start = time.monotonic()
        self.found = ""
        try:
            yield self
        except Exception as error:
            self.failed += 1
            _say(f"FAILED  {name} ({time.monotonic() - start:.0f} s): {type(error).__name__}: {error}")
        else:
            self.passed += 1
            _say(f"ok      {name} ({time.monotonic() - start:.0f} s){': ' if self.found else ''}{self.found}")
        self.found = ""

    def end(self) -> int:
        """The last line, and the exit code."""
        _say(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0


def _start(made: Stack, folder: Path, environment: dict[str, str], args: argparse.Namespace) -> None:
    if not args.engine:
        _download_torch()
        bases = ["python:3.11.14-slim-bookworm"]
        make_stand_ins(folder, environment, bases + [one["image"] for one in made.services.values()])
    start = time.monotonic()
    made.compose("build", "api", "worker-cpu", "exporter")
    _say(f"        images built in {time.monotonic() - start:.0f} s")
    if args.artifacts:
        _fill(made, args.artifacts)
    start = time.monotonic()
    made.compose("up", "--detach", "--no-build", *made.services)
    wait_for(lambda: made.service.get("/readyz").status_code == 200, "the service to be ready", 900)
    _say(f"        started in {time.monotonic() - start:.0f} s: {', '.join(made.services)}")


def _download_torch() -> None:
    """Into the folder that the build takes wheels from: what pip takes here for this Python."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", WHEELS, WHEEL]
    if not list(WHEELS.glob("torch-*")):
        subprocess.run(command, check=False)


def _fill(made: Stack, artifacts: Path) -> None:
    mounts = ["-v", f"{PROJECT}_artifacts:/to", "-v", f"{artifacts.resolve()}:/from:ro"]
    copy = "cp -r /from/. /to/ && chown -R 10001:10001 /to"
    made.run("docker", "run", "--rm", "-u", "0", *mounts, "--entrypoint", "sh", "unseam-api:latest", "-c", copy)


@contextlib.contextmanager
def _folder(reuse: Path | None) -> Iterator[Path]:
    if reuse:
        reuse.mkdir(parents=True, exist_ok=True)
        yield reuse.resolve()
    else:
        folder = Path(tempfile.mkdtemp(prefix="unseam-compose-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _engine(running: bool, folder: Path) -> Iterator[dict[str, str]]:
    if running:
        yield dict(os.environ)
    else:
        with engine(folder / "engine") as environment:
            yield environment


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
