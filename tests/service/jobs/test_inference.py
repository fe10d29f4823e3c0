from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import onnx_inverter
from prometheus_client import generate_latest

from export import runners
from service.catalogue import Artifact, Catalogue
from service.engine import Options
from service.jobs.inference import Inference
from service.jobs.pace import Pace
from service.metrics import Metrics


def test_networks_are_announced_when_all_are_warm_not_one_by_one(tmp_path: Path) -> None:
    (first,) = Catalogue.read(onnx_inverter.write(tmp_path)).artifacts
    second = Artifact(first.folder, first.manifest.model_copy(update={"name": "other", "default": False}))
    metrics, go_on, calls = Metrics(), threading.Event(), 0

    def load(*arguments: Any, **options: Any) -> runners.Runner:
        nonlocal calls
        calls += 1
        assert calls == 1 or go_on.wait(30)
        return runners.load(*arguments, **options)

    inference = Inference(Catalogue([first, second]), Options(), metrics=metrics, pace=Pace(), load=load)
    inference.start()
    try:
        while calls < 2:
            assert not inference.ready.wait(0.01)
        assert b"unseam_model_info{" not in generate_latest(metrics.registry)
        go_on.set()
        inference.wait()
        assert generate_latest(metrics.registry).count(b"unseam_model_info{") == 2
    finally:
        go_on.set()
        inference.stop(5)
