from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

DOCKER = Path(__file__).parents[2] / "docker"


def test_a_setting_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "address").write_text("redis://:a'b $c@redis/0\n")
    environment = {"PATH": os.environ["PATH"], "UNSEAM_REDIS_URL_FILE": str(tmp_path / "address"), "UNSEAM_PORT": "1"}
    done = subprocess.run([DOCKER / "entrypoint", "env"], env=environment, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert "UNSEAM_REDIS_URL=redis://:a'b $c@redis/0" in lines
    assert "UNSEAM_PORT=1" in lines
    assert not any(line.startswith("UNSEAM_REDIS_URL_FILE") for line in lines)


def test_a_missing_file_stops_the_container(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "UNSEAM_REDIS_URL_FILE": str(tmp_path / "nothing")}
    done = subprocess.run([DOCKER / "entrypoint", "env"], env=environment, capture_output=True, check=False)
    assert done.returncode != 0


@pytest.fixture
def host(tmp_path: Path) -> dict[str, str]:
    """Two GPUs, and a worker that tells its device and works until its input ends."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, script in (("nvidia-smi", "echo GPU 0; echo GPU 1"), ("unseam", 'echo "$@"; exec cat')):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "GPU_LOCKS": str(tmp_path)}


def _start(host: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([DOCKER / "worker-per-gpu"], env=host, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _device(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout
    return worker.stdout.readline().strip()


def test_each_worker_takes_a_gpu_of_its_own_and_gives_it_back_when_it_dies(host: dict[str, str]) -> None:
    first, second = _start(host), None
    try:
        assert _device(first) == "worker --device cuda:0"
        second = _start(host)
        assert _device(second) == "worker --device cuda:1"

        third = _start(host)
        _, complaint = third.communicate(timeout=10)
        assert third.returncode == 1
        assert "each of the 2 GPUs of this host has its worker" in complaint

        first.kill()
        first.communicate()
        first = _start(host)
        assert _device(first) == "worker --device cuda:0"
    finally:
        for worker in filter(None, (first, second)):
            worker.kill()
            worker.communicate()
