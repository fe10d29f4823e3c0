from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from export.command import add_arguments

OURS = ("api", "worker", "janitor", "exporter")
KINDS = ("gpu", "cpu")


@pytest.fixture(scope="module", params=KINDS)
def stack(
    request: pytest.FixtureRequest, deploy: Path, program: Callable[[str], str], tmp_path_factory: Any
) -> dict[str, Any]:
    return _config(program("docker-compose"), _prepared(deploy, tmp_path_factory.mktemp("stack"), request.param))


def _prepared(deploy: Path, folder: Path, *kind: str, **environment: str) -> Path:
    """A copy of deploy/, made ready by its script."""
    copy = folder / "deploy"
    shutil.copytree(deploy, copy, ignore=shutil.ignore_patterns(".env", "secrets"))
    subprocess.run([copy / "prepare", *kind], check=True, env={"PATH": os.environ["PATH"]} | environment)
    return copy


def _config(compose: str, prepared: Path, **environment: str) -> dict[str, Any]:
    """The stack as docker-compose reads it."""
    environment["PATH"] = os.environ["PATH"]
    command = [compose, "config"]
    done = subprocess.run(
        command, cwd=prepared, capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stderr.upper(), done.stderr
    loaded: dict[str, Any] = yaml.safe_load(done.stdout)
    return loaded


def _words(command: str | list[str]) -> list[str]:
    """A command as its process gets it: older versions of Compose show it unsplit."""
    return shlex.split(command) if isinstance(command, str) else command


def test_further_hosts_are_let_in_at_the_private_address_alone(
    deploy: Path, program: Callable[[str], str], tmp_path: Path
) -> None:
    files = "docker-compose.yml:compose.cpu.yml:compose.hosts.yml:compose.hosts-cpu.yml"
    prepared = _prepared(deploy, tmp_path, "cpu")
    environment = {"COMPOSE_FILE": files, "COMPOSE_PROFILES": "gpu", "PRIVATE_ADDRESS": "10.1.2.3"}
    services = _config(program("docker-compose"), prepared, **environment)["services"]
    assert services["worker-cpu"]["ports"] == services["worker"]["ports"]
    for name in ("redis", "worker", "dcgm-exporter"):
        assert services[name]["ports"], name
        assert all(str(port).startswith("10.1.2.3:") for port in services[name]["ports"]), name


def test_redis_is_reached_from_inside_only(stack: dict[str, Any]) -> None:
    redis = stack["services"]["redis"]
    assert "ports" not in redis
    assert list(redis["networks"]) == ["queue"]
    assert stack["networks"]["queue"]["internal"] is True


def test_only_the_proxy_can_be_published_beyond_this_host(stack: dict[str, Any]) -> None:
    for name, service in stack["services"].items():
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), name


def test_our_containers_have_no_root_to_lose(stack: dict[str, Any]) -> None:
    ours = [name for name in stack["services"] if name.startswith(OURS)]
    assert len(ours) >= 4
    for name in ours:
        service = stack["services"][name]
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_every_container_keeps_its_log_short_and_comes_back(stack: dict[str, Any]) -> None:
    for name, service in stack["services"].items():
        assert service["logging"]["options"]["max-size"], name
        assert service["restart"] == ("on-failure" if name == "exporter" else "always"), name


def test_no_image_floats(stack: dict[str, Any]) -> None:
    for name, service in stack["services"].items():
        tag = service["image"].rpartition(":")[2]
        assert name.startswith(OURS) or (tag != "latest" and any(sign.isdigit() for sign in tag)), name


def test_workers_may_end_what_they_do(stack: dict[str, Any]) -> None:
    for name, service in stack["services"].items():
        if name.startswith(("worker", "api", "janitor")):
            assert service["stop_grace_period"] in ("90s", "1m30s"), name


def test_no_secret_is_in_an_environment(stack: dict[str, Any]) -> None:
    for name, service in stack["services"].items():
        for variable, value in service.get("environment", {}).items():
            secret = any(word in variable for word in ("PASSWORD", "REDIS_URL", "SECRET"))
            assert not (secret and value) or variable.endswith("_FILE"), f"{name}: {variable}"


def test_the_gpu_worker_reserves_gpus_and_is_left_out_elsewhere(stack: dict[str, Any]) -> None:
    for name in ("worker", "dcgm-exporter"):
        service = stack["services"][name]
        devices = service["deploy"]["resources"]["reservations"]["devices"]
        assert [(device["driver"], device["capabilities"]) for device in devices] == [("nvidia", ["gpu"])]
        assert service["profiles"] == ["gpu"]


def test_whatever_a_worker_writes_lies_in_a_volume(stack: dict[str, Any], deploy: Path) -> None:
    text = (deploy.parent / "docker" / "worker.Dockerfile").read_text()
    folders = dict(re.findall(r"^ +(UNSEAM_SPOOL|TMPDIR|XDG_CACHE_HOME)=(\S+)", text, re.MULTILINE))
    assert len(folders) == 3
    for name in ("worker", "worker-cpu"):
        if service := stack["services"].get(name):
            writable = {volume.split(":")[1] for volume in service["volumes"] if not volume.endswith(":ro")}
            wanted = set(folders.values()) if name == "worker" else {folders["UNSEAM_SPOOL"], folders["TMPDIR"]}
            assert wanted <= writable, name


def test_a_cpu_worker_answers_to_the_name_that_prometheus_asks_for(stack: dict[str, Any]) -> None:
    if worker := stack["services"].get("worker-cpu"):
        assert worker["networks"]["default"]["aliases"] == ["worker"]
        assert "resources" not in worker["deploy"]


def test_every_command_means_the_stack_that_the_host_was_prepared_for(
    deploy: Path, program: Callable[[str], str], tmp_path: Path
) -> None:
    prepared = _prepared(deploy, tmp_path, "gpu", WORKERS="3")
    services = _config(program("docker-compose"), prepared)["services"]
    assert services["worker"]["deploy"]["replicas"] == 3
    assert "worker-cpu" not in services
    assert "COMPOSE_PROFILES=gpu\n" in (prepared / ".env").read_text()
    environment = {"PATH": os.environ["PATH"], "WORKERS": "4"}
    subprocess.run([prepared / "prepare", "gpu"], check=True, env=environment)
    assert "WORKERS=3\n" in (prepared / ".env").read_text(), "what the host's owner may have changed is kept"
    refused = subprocess.run([prepared / "prepare", "cpu"], capture_output=True, text=True, env=environment)
    assert refused.returncode == 2
    assert "compose.cpu.yml" in refused.stderr


def test_our_kernel_comes_into_engines_by_an_extra_of_the_worker_and_an_option_of_the_exporter(
    deploy: Path, program: Callable[[str], str], tmp_path: Path
) -> None:
    prepared = _prepared(deploy, tmp_path, "gpu")
    assert _words(_config(program("docker-compose"), prepared)["services"]["exporter"]["command"]) == ["--missing"]
    settings = (prepared / ".env").read_text()
    (extras, option) = re.findall(
        r"^# .*; (gpu,triton) for our kernel.*\n# .*EXPORT_OPTIONS=(\S+)\.$", settings, re.MULTILINE
    )[0]
    for name, value in (("WORKER_EXTRAS", extras), ("EXPORT_OPTIONS", option)):
        settings = re.sub(rf"^{name}=.*$", f"{name}={value}", settings, flags=re.MULTILINE)
    (prepared / ".env").write_text(settings)
    services = _config(program("docker-compose"), prepared)["services"]
    assert services["worker"]["build"]["args"]["EXTRAS"] == "gpu,triton"
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args(_words(services["exporter"]["command"]))
    assert (args.missing, args.attention) == (True, "operator")


def test_a_new_password_reaches_the_stacks_own_redis_and_no_other(deploy: Path, tmp_path: Path) -> None:
    prepared = _prepared(deploy, tmp_path, "cpu")
    secrets = prepared / "secrets"
    old = (secrets / "redis_url").read_text()
    for address in (old, "rediss://:other@10.0.0.5:6379/0"):
        (secrets / "redis_url").write_text(address)
        (secrets / "redis_password").unlink()
        subprocess.run([prepared / "prepare"], check=True)
        password, now = (secrets / "redis_password").read_text(), (secrets / "redis_url").read_text()
        assert now == (f"redis://:{password}@redis:6379/0" if address == old else address)
        assert now != old


def test_the_proxy_takes_its_configuration(deploy: Path, program: Callable[[str], str]) -> None:
    command = [program("haproxy"), "-c", "-f", deploy / "haproxy" / "haproxy.cfg"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stdout + done.stderr


def test_redis_takes_its_configuration_and_asks_for_the_password(
    deploy: Path, program: Callable[[str], str], tmp_path: Path
) -> None:
    server, client = program("redis-server"), program("redis-cli")
    lines = (deploy / "redis" / "redis.conf").read_text().replace("dir /data", f"dir {tmp_path}")
    lines = lines.replace("port 6379", "port 0") + f"unixsocket {tmp_path}/redis\nrequirepass secret\n"
    with subprocess.Popen([server, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin
        process.stdin.write(lines.encode())
        process.stdin.close()

        def ask(*words: str, password: str | None) -> str:
            login = ["-a", password, "--no-auth-warning"] if password else []
            done = subprocess.run([client, "-s", tmp_path / "redis", *login, *words], capture_output=True, text=True)
            return done.stdout.strip()

        try:
            for _ in range(100):
                if (answer := ask("ping", password="secret")) == "PONG":
                    break
            assert answer == "PONG"
            assert "NOAUTH" in ask("ping", password=None)
            assert ask("config", "get", "maxmemory-policy", password="secret").endswith("noeviction")
            assert ask("config", "get", "appendonly", password="secret").endswith("yes")
        finally:
            process.kill()
