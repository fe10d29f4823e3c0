from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DOCKER = Path(__file__).parents[2] / "docker"
LISTS_TWO = """\
echo "GPU 0: NVIDIA H100 (UUID: GPU-0)"
echo "  MIG 1g.10gb     Device  0: (UUID: MIG-0)"
echo "  MIG 1g.10gb     Device  1: (UUID: MIG-1)"
echo "GPU 1: NVIDIA H100 (UUID: GPU-1)"
"""


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
    for name, script in (("nvidia-smi", LISTS_TWO), ("unseam", 'echo "$@"; exec cat')):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "GPU_LOCKS": str(tmp_path)}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo Failed to initialize NVML: Driver/library version mismatch; exit 18", "version mismatch"),
        ("echo No devices found.", "No devices found"),
    ],
)
def test_what_nvidia_smi_complains_of_is_no_gpu(host: dict[str, str], script: str, said: str) -> None:
    (Path(host["GPU_LOCKS"]) / "bin" / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    _, complaint = _start(host).communicate(timeout=10)
    assert complaint.startswith("there is no GPU here")
    assert said in complaint


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_a_stack_is_made_with_as_many_workers_as_there_are_gpus(host: dict[str, str]) -> None:
    command = ["make", "--dry-run", "up"]
    done = subprocess.run(command, cwd=DOCKER.parent, env=host, capture_output=True, text=True, check=True, timeout=60)
    assert "WORKERS=2 deploy/prepare gpu" in done.stdout


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
