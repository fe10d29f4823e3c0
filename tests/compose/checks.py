"""What `make test-compose` checks of a running stack, each a function that returns what it found, in words."""

from __future__ import annotations

import concurrent.futures
import io
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Final

import httpx
import numpy as np
import shipped_promql
from PIL import Image
from stack import WORKER, Stack, wait_for

MIB: Final = 2**20
API_IMAGE_BYTES: Final = 600 * MIB
# No GPU here, nothing refused for want of room, no picture so large that workers share it.
WITHOUT_DATA: Final = ("gpu: Utilisation", "gpu: Tensor", "gpu: Memory", "gpu: Temperature", "gpu: Power", "gpu: Clock",
                       "gpu: Leases", "service: Refused")  # fmt: skip


def api_image_is_small_and_without_torch(stack: Stack) -> str:
    size = int(stack.run("docker", "image", "inspect", "--format", "{{.Size}}", "unseam-api:latest"))
    assert size < API_IMAGE_BYTES, f"{size / MIB:.0f} MiB"
    (container,) = stack.containers("api")
    for package in ("torch", "onnxruntime", "safetensors"):
        found = stack.run("docker", "exec", container, "python3", "-c", f"import {package}", check=False)
        assert "ModuleNotFoundError" in found or not found, package
        with_it = stack.run("docker", "exec", container, "sh", "-c", f"python3 -c 'import {package}' 2>&1 || echo no")
        assert "No module named" in with_it, package
    return f"{size / MIB:.0f} MiB"


def containers_have_neither_root_nor_a_writable_root(stack: Stack) -> str:
    for service in ("api", WORKER, "janitor"):
        container = stack.containers(service)[0]
        script = "id -u; touch /here /opt/unseam/here 2>/dev/null && echo written; cat /proc/1/status | grep CapEff"
        user, *rest = stack.run("docker", "exec", container, "sh", "-c", script).split("\n")
        assert user == "10001", f"{service} runs as {user}"
        assert "written" not in rest, f"{service} can write to its root"
        assert any(line.split() == ["CapEff:", "0000000000000000"] for line in rest), f"{service} has capabilities"
    return "uid 10001, read-only, no capabilities"


def containers_say_that_they_are_healthy(stack: Stack) -> str:
    health = {}
    for service in ("api", WORKER, "redis"):
        for container in stack.containers(service):
            wait_for(lambda one=container: _health(stack, one) == "healthy", f"{service} to be healthy", 120)
            health[service] = health.get(service, 0) + 1
    return ", ".join(f"{service} {count}" for service, count in health.items())


def redis_wants_its_password_and_is_published_nowhere(stack: Stack) -> str:
    (container,) = stack.containers("redis")
    assert "NOAUTH" in stack.run("docker", "exec", container, "redis-cli", "ping")
    assert not any(stack.inspect(container)["NetworkSettings"]["Ports"].values())
    password = (stack.deploy / "secrets" / "redis_password").read_text()
    for service in stack.services:
        for one in stack.containers(service):
            known = stack.inspect(one)
            assert password not in str(known["Config"]), f"{service} tells the password"
    return "NOAUTH; no port; the password is in nobody's environment or arguments"


def a_picture_is_restored_through_it(stack: Stack) -> str:
    answer = _restore(stack.service, _picture(1))
    assert answer.status_code == 200, answer.text
    restored = Image.open(io.BytesIO(answer.content))
    assert restored.size == Image.open(io.BytesIO(_picture(1))).size
    return f"{answer.headers['X-Model'].split(';')[0]}, {answer.elapsed.total_seconds():.1f} s"


def every_network_restores_and_is_counted_by_task(stack: Stack) -> str:
    models = stack.service.get("/models").json()
    for model in models:
        sent = Image.open(io.BytesIO(_picture(2))).convert("L" if model["in_channels"] == 1 else "RGB")
        file = io.BytesIO()
        sent.save(file, "png")
        answer = _restore(stack.service, file.getvalue(), model["task"], model=model["name"])
        assert answer.status_code == 200, f"{model['name']}: {answer.text}"
        restored = Image.open(io.BytesIO(answer.content))
        assert restored.size == tuple(model["scale"] * side for side in sent.size), model["name"]
    tasks = {model["task"] for model in models}
    for metric in ("unseam_tiles_total", "unseam_megapixels_total", 'unseam_jobs_total{outcome="succeeded"}'):
        wait_for(lambda one=metric: {s["metric"]["task"] for s in stack.query(one)} >= tasks, f"{metric} of each task")
    loaded = {series["metric"]["model"] for series in stack.query('unseam_model_info{job="worker"}')}
    assert loaded == {model["name"] for model in models}
    return f"{len(models)} networks; {', '.join(sorted(tasks))}"


def a_code_change_is_rebuilt_in_seconds(stack: Stack) -> str:
    (stack.deploy.parent / "service" / "api" / "web" / "changed.txt").write_text("changed")
    start = time.monotonic()
    log = stack.compose("build", "api")
    assert log.count("Using cache") >= 4, "dependencies were installed anew"
    return f"{time.monotonic() - start:.0f} s"


def a_worker_killed_under_load_loses_nothing(stack: Stack) -> str:
    pictures = [_picture(seed, side=512) for seed in range(6)]
    expected = [_restore(stack.service, picture).content for picture in pictures]
    jobs = [_submit(stack.service, picture) for picture in pictures]
    wait_for(lambda: any(_state(stack.service, job) == "running" for job in jobs), "a job to run", 60)
    container = stack.containers(WORKER)[0]
    before = stack.inspect(container)
    os.kill(before["State"]["Pid"], signal.SIGKILL)
    start = time.monotonic()
    unfinished = sum(_state(stack.service, job) != "succeeded" for job in jobs)
    assert unfinished > 1, "the worker was quicker than the kill"
    wait_for(lambda: all(_state(stack.service, job) == "succeeded" for job in jobs), "every job to succeed", 300)
    seconds = time.monotonic() - start
    assert stack.inspect(container)["RestartCount"] > before["RestartCount"], "the worker was not started again"
    results = [stack.service.get(f"/jobs/{job}/result").content for job in jobs]
    assert all(map(_same_pixels, results, expected))
    return f"{unfinished} of {len(jobs)} jobs cut off, {len(jobs)} right results {seconds:.0f} s after SIGKILL"


def a_restart_of_redis_loses_no_job(stack: Stack) -> str:
    jobs = [_submit(stack.service, _picture(seed)) for seed in range(20, 24)]
    stack.run("docker", "restart", *stack.containers("redis"))
    seconds = wait_for(lambda: all(_state(stack.service, job) == "succeeded" for job in jobs), "every job", 300)
    return f"{len(jobs)} jobs done {seconds:.0f} s after the restart"


def containers_are_rolled_without_a_failed_request(stack: Stack) -> str:
    with _load(stack) as load:
        for service in ("api", WORKER):
            old = set(stack.containers(service))
            stack.run("./roll", service)
            assert not old & set(stack.containers(service)), f"{service} was not replaced"
    assert not load.failed, f"{len(load.failed)} of {load.sent} requests failed: {load.failed[:3]}"
    return f"{load.sent} requests meanwhile, 0 failed"


def three_workers_are_seen_and_used(stack: Stack) -> str:
    stack.compose("up", "--detach", "--no-deps", "--no-recreate", "--no-build", "--scale", f"{WORKER}=3", WORKER)
    seconds = wait_for(lambda: len(stack.query('up{job="worker"} == 1')) == 3, "Prometheus to see three workers", 120)
    loaded = 'count(unseam_model_info{job="worker"})'
    wait_for(lambda: float(stack.query(loaded)[0]["value"][1]) >= 3, "three workers to be warm", 300)
    with _load(stack, clients=6) as load:
        busy = "count(rate(unseam_tiles_total[1m]) > 0)"
        wait_for(lambda: float(stack.query(busy)[0]["value"][1]) == 3, "three workers to restore tiles", 180)
    assert not load.failed, load.failed[:3]
    return f"seen {seconds:.0f} s after --scale; all three restored tiles"


def every_target_is_scraped(stack: Stack) -> str:
    jobs = ("api", "worker", "redis", "proxy", "prometheus")
    wait_for(lambda: {one["metric"]["job"] for one in stack.query("up == 1")} == set(jobs), "every job to be up", 60)
    assert not stack.query("up == 0")
    return ", ".join(f"{one['metric']['job']} {one['value'][1]}" for one in stack.query("count by (job) (up)"))


def every_expression_is_evaluated_and_has_data(stack: Stack) -> str:
    rules, panels = list(shipped_promql.of_rules()), list(shipped_promql.of_dashboards())
    assert not (faults := stack.faulty_rules()), faults
    with _load(stack):
        time.sleep(20)
        for where, expression in rules:
            found = stack.query(expression)
            assert found or ":" not in where, f"{where} records nothing"
        for where, expression in panels:
            found = stack.query(expression)
            assert found or where.startswith(WITHOUT_DATA), f"{where} shows nothing"
    return f"{len(rules)} rules, {len(panels)} lines of panels"


def a_stalled_queue_raises_the_alert_and_comes_back(stack: Stack) -> str:
    workers = stack.containers(WORKER)
    stack.run("docker", "pause", *workers)
    try:
        job = _submit(stack.service, _picture(40))
        seconds = wait_for(lambda: "UnseamQueueStalled" in stack.firing(), "the alert", 400)
        told = stack.alertmanager.get("/api/v2/alerts").json()
        names = {alert["labels"]["alertname"] for alert in told}
        assert "UnseamQueueStalled" in names, f"Alertmanager heard of {names} only"
    finally:
        stack.run("docker", "unpause", *workers)
    wait_for(lambda: _state(stack.service, job) == "succeeded", "the job to be done after all", 300)
    resolved = wait_for(lambda: "UnseamQueueStalled" not in stack.firing(), "the alert to end", 300)
    return f"fired after {seconds:.0f} s, told to Alertmanager, over {resolved:.0f} s after the workers went on"


ALL: Final[list[Callable[[Stack], str]]] = [
    api_image_is_small_and_without_torch,
    containers_have_neither_root_nor_a_writable_root,
    containers_say_that_they_are_healthy,
    redis_wants_its_password_and_is_published_nowhere,
    a_picture_is_restored_through_it,
    every_network_restores_and_is_counted_by_task,
    a_code_change_is_rebuilt_in_seconds,
    every_target_is_scraped,
    every_expression_is_evaluated_and_has_data,
    a_worker_killed_under_load_loses_nothing,
    a_restart_of_redis_loses_no_job,
    containers_are_rolled_without_a_failed_request,
    three_workers_are_seen_and_used,
    a_stalled_queue_raises_the_alert_and_comes_back,
]


class _load:  # noqa: N801 - reads as what it is: with _load(stack)
    """Clients that send one picture after the other, and one that asks small things, as long as the block runs."""

    def __init__(self, stack: Stack, clients: int = 2) -> None:
        self._address, self._clients = str(stack.service.base_url), clients
        self._over = threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(clients + 1)
        self.sent = 0
        self.failed: list[str] = []

    def __enter__(self) -> _load:
        for seed in range(self._clients):
            picture = _picture(100 + seed)
            self._pool.submit(self._client, lambda client, picture=picture: _restore(client, picture), 0)
        self._pool.submit(self._client, lambda client: client.get("/tasks"), 0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown()

    def _client(self, ask: Callable[..., httpx.Response], rest_s: float) -> None:
        with httpx.Client(base_url=self._address, timeout=300) as client:
            while not self._over.wait(rest_s):
                self.sent += 1
                try:
                    answer = ask(client)
                    if answer.status_code != 200:
                        self.failed.append(f"{answer.status_code} {answer.text[:200]}")
                except httpx.TransportError as error:
                    self.failed.append(repr(error))


def _picture(seed: int, side: int = 128) -> bytes:
    """A square noisy picture; one tile of work unless a larger one is asked for."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)).save(file, "png")
    return file.getvalue()


def _restore(client: httpx.Client, picture: bytes, task: str = "derain", **parameters: str) -> httpx.Response:
    wanted = {"task": task, **parameters}
    return client.post("/restore", params=wanted, content=picture, headers={"Prefer": "wait=280"})


def _health(stack: Stack, container: str) -> str:
    status: str = stack.inspect(container)["State"]["Health"]["Status"]
    return status


def _submit(client: httpx.Client, picture: bytes) -> str:
    answer = client.post("/restore?task=derain", content=picture, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def _state(client: httpx.Client, job: str) -> str:
    state: str = client.get(f"/jobs/{job}").json()["state"]
    assert state not in ("failed", "cancelled"), f"job {job} {state}"
    return state


def _same_pixels(first: bytes, second: bytes) -> bool:
    """Equal within what the order of additions may change."""
    one, two = (np.asarray(Image.open(io.BytesIO(data)), dtype=np.int16) for data in (first, second))
    return bool(np.abs(one - two).max() <= 1)
