from __future__ import annotations

import threading
from pathlib import Path

import httpx
from service_bench import Bench, png, served, wait_for


def test_a_client_that_still_waits_when_the_server_stops_is_told_to_come_again(tmp_path: Path) -> None:
    bench, answers = Bench(tmp_path / "spool"), []
    bench.runner.go.clear()
    app = bench.app(drain_s=0.1)
    with served(app) as address:
        url = f"{address}/restore?task=derain"
        waiting = threading.Thread(target=lambda: answers.append(httpx.post(url, content=png(), timeout=60)))
        waiting.start()
        wait_for(lambda: "unseam_queue_jobs 1.0" in httpx.get(f"{address}/metrics").text)
    waiting.join(60)
    bench.runner.go.set()
    (answer,) = answers
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["type"] == "urn:unseam:problem:not-ready"
    assert "stopping" in answer.json()["detail"]
