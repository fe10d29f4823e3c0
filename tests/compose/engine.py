"""A Docker engine of its own, with images standing in for those that no registry here has.

The stand-ins are made from Debian's packages under the very names that Dockerfiles and compose file use, so that both
are tested as they are. Where the real images are there (`--engine`), nothing of this is needed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PACKAGES: Final = ("ca-certificates", "python3", "python3-venv")
NEEDED: Final = ("dockerd", "docker", "docker-compose", "debootstrap", "iptables")
BASE: Final = "unseam-stand-in"
_INSTALL: Final = "RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends"
# What each image of the stack is in Debian: its package, its folder of data, what it runs.
STAND_INS: Final = {
    "python": "",
    "redis": f"{_INSTALL} redis-server\nRUN install --directory --owner=redis --group=redis /data",
    "haproxy": f"{_INSTALL} haproxy",
    "prom/prometheus": f"{_INSTALL} prometheus\nRUN install --directory --owner=nobody /prometheus\n"
    'ENTRYPOINT ["prometheus", "--web.console.templates=/tmp", "--web.console.libraries=/tmp"]',
    "prom/alertmanager": f"{_INSTALL} prometheus-alertmanager\nRUN install --directory --owner=nobody /alertmanager\n"
    'ENTRYPOINT ["prometheus-alertmanager"]',
    "oliver006/redis_exporter": f'{_INSTALL} prometheus-redis-exporter\nENTRYPOINT ["prometheus-redis-exporter"]',
}


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[dict[str, str]]:
    """Start dockerd with everything of its own under `folder`; yields the environment to reach it. Needs root."""
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        sys.exit(f"not installed: {', '.join(missing)}: apt-get install docker.io docker-compose debootstrap iptables")
    if os.geteuid() != 0:
        sys.exit("an engine of its own needs root; or name a running one with --engine")
    folder.mkdir(parents=True, exist_ok=True)
    address = f"unix://{folder}/docker.sock"
    log = (folder / "dockerd.log").open("w")
    daemon = subprocess.Popen(
        [
            "dockerd", "--host", address, "--data-root", folder / "data", "--exec-root", folder / "run",
            "--pidfile", folder / "dockerd.pid",
        ],
        stdout=log,
        stderr=log,
    )  # fmt: skip
    environment = os.environ | {"DOCKER_HOST": address, "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
    try:
        for _ in range(120):
            if subprocess.run(["docker", "info"], env=environment, capture_output=True, check=False).returncode == 0:
                break
            if daemon.poll() is not None:
                break
            time.sleep(0.5)
        else:
            daemon.kill()
        if daemon.poll() is not None:
            sys.exit(f"dockerd did not start:\n{(folder / 'dockerd.log').read_text()[-2000:]}")
        yield environment
    finally:
        daemon.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            daemon.wait(60)
        daemon.kill()


def make_stand_ins(folder: Path, environment: dict[str, str], images: list[str]) -> None:
    """Make an image of Debian's packages for each of `images` that the engine does not have."""
    there = _output(environment, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}").split()
    for image in images:
        name = image.rpartition(":")[0]
        if image not in there and name in STAND_INS:
            if f"{BASE}:latest" not in there:
                _import(folder, environment)
                there.append(f"{BASE}:latest")
            recipe = f"FROM {BASE}\n{STAND_INS[name]}\n"
            subprocess.run(
                ["docker", "build", "--quiet", "--tag", image, "-"],
                input=recipe, env=environment, text=True, check=True, capture_output=True,
            )  # fmt: skip


def _import(folder: Path, environment: dict[str, str]) -> None:
    root = folder / "rootfs"
    if not (root / "complete").exists():
        _remove_tree(root)
        include = f"--include={','.join(PACKAGES)}"
        command = ["debootstrap", "--variant=minbase", include, "bookworm", root]
        try:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        except BaseException:
            _remove_tree(root)
            raise
        # The host's certificates and pip settings: a registry may be reached by them alone.
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", root / "etc/ssl/certs/ca-certificates.crt")
        (root / "etc/pip.conf").write_text("[global]\ncert = /etc/ssl/certs/ca-certificates.crt\ntimeout = 180\n")
        (root / "complete").touch()
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
        command = ["docker", "import", "-", BASE]
        subprocess.run(command, stdin=tar.stdout, env=environment, check=True, stdout=subprocess.DEVNULL)


def _remove_tree(root: Path) -> None:
    """Delete a tree that an interrupted debootstrap left, in which the host's /proc may still be mounted."""
    for name in ("proc", "sys", "dev/pts", "dev"):
        if (root / name).is_mount():
            subprocess.run(["umount", root / name], check=True)
    shutil.rmtree(root, ignore_errors=True)


def _output(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
