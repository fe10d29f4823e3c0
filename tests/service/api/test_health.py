from __future__ import annotations

import re
import time

import httpx
import pytest
from service_bench import Bench, png, wait_for

from export.runners import BackendError


def test_it_is_ready_once_the_networks_are_warm(bench: Bench, client: httpx.Client) -> None:
    deadline = time.monotonic() + 5
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_network_that_does_not_load_makes_it_unready_not_dead(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BackendError("no such runtime")

    monkeypatch.setattr(bench, "load", broken)
    with bench.client() as client:
        deadline = time.monotonic() + 5
        while "loaded" not in (answer := client.get("/readyz")).text or "being" in answer.text:
            assert time.monotonic() < deadline
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert client.get("/healthz").status_code == 200
        assert client.post("/restore?task=derain", content=png()).status_code == 503


def test_metrics_count_requests_jobs_stages_tiles_and_pixels(client: httpx.Client) -> None:
    client.post("/restore?task=derain", content=png(40, 30))
    client.post("/restore?task=derain", content=b"text")
    text = client.get("/metrics").text
    for line in (
        'unseam_http_requests_total{code="200",task="derain"} 1.0',
        'unseam_http_requests_total{code="415",task="derain"} 1.0',
        'unseam_jobs_total{outcome="succeeded",task="derain"} 1.0',
        'unseam_stage_duration_seconds_count{stage="infer",task="derain"} 1.0',
        'unseam_megapixels_total{task="derain"} 0.0012',
        'unseam_model_info{backend="onnx",model="inverter",precision="fp32",version="1"} 1.0',
    ):
        assert line in text
    for counter in ("tiles", "tile_units"):
        assert re.search(
            rf'unseam_{counter}_total\{{backend="onnx",task="derain"\}} (?!0\.0$)[0-9]', text, re.MULTILINE
        )


@pytest.mark.parametrize(
    ("method", "address", "status"), [("GET", "/nothing", 404), ("GET", "/restore", 405), ("POST", "/healthz", 405)]
)
def test_the_frameworks_own_errors_are_problems_too(
    shared_client: httpx.Client, method: str, address: str, status: int
) -> None:
    answer = shared_client.request(method, address)
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] in answer.json()["instance"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert status != 405 or answer.headers["allow"]


@pytest.mark.parametrize(
    ("method", "address", "allowed"),
    [
        ("PUT", "/jobs/1", "GET, HEAD, DELETE"),
        ("OPTIONS", "/jobs/1", "GET, HEAD, DELETE"),
        ("PUT", "/jobs/1/result", "GET, HEAD"),
        ("HEAD", "/restore", "POST"),
        ("DELETE", "/", "GET, HEAD"),
        ("POST", "/web/docs.js", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_taken_is_answered_with_all_that_are(
    shared_client: httpx.Client, method: str, address: str, allowed: str
) -> None:
    answer = shared_client.request(method, address)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("address", ["/", "/docs", "/openapi.json", "/healthz", "/readyz", "/tasks", "/metrics", "/no"])
def test_head_is_answered_as_get_is_but_without_the_body(shared_client: httpx.Client, address: str) -> None:
    wait_for(lambda: shared_client.get("/readyz").status_code == 200)
    head, get = shared_client.head(address), shared_client.get(address)
    assert head.status_code == get.status_code
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.content == b""


def test_tasks_and_models_say_what_is_served(shared_client: httpx.Client) -> None:
    assert shared_client.get("/tasks").json() == [
        {"task": "derain", "default": "inverter", "models": ["inverter"], "scales": [1], "patterns": []}
    ]
    (model,) = shared_client.get("/models").json()
    assert (model["name"], model["tiles"], model["halo"]) == ("inverter", [64], 8)


def test_the_front_page_needs_nothing_from_elsewhere(shared_client: httpx.Client) -> None:
    page = shared_client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.search(r'(src|href)="(https?:)?//', page.text)
