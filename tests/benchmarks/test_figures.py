from __future__ import annotations

import json
from inspect import signature
from pathlib import Path

import pytest

from benchmarks import figures
from models.registry import Card
from training.validation import Validation

ROW = {"step": 1, "elapsed_s": 1800.0, "pictures": 4, "loss": 0.1, "Rain100L": 30.123456, "clean": 50.0}


def card(**changes: object) -> Card:
    quality = {"psnr_y_db": 33.0, "ssim_y": 0.9, "pictures": 3}
    fields = {
        "name": "net", "version": 1, "task": "derain", "network": "ipt_v2", "config": "tiny", "weights": "w",
        "sha256": "0" * 64, "default": True, "scale": 1, "recipe": "net", "data": "", "commit": "", "license_note": "",
        "figures": {"Rain100L": {"input": quality | {"psnr_y_db": 25.0}, "restored": quality}},
    }  # fmt: skip
    return Card(**fields | changes)  # type: ignore[arg-type]


def cost(network: str, runtime: str, tile: int, milliseconds: float) -> dict[str, object]:
    cost = {"cpu_ms_per_tile": milliseconds}
    return {"network": network, "precision": "fp32", "runtime": runtime, "tile": tile, "cost": cost}


def test_a_weights_history_is_the_one_kept_and_never_that_of_a_run_under_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs" / "net").mkdir(parents=True)
    (tmp_path / "runs" / "net" / "history.json").write_text(json.dumps([ROW | {"loss": 9.0}]))
    (tmp_path / "net.json").write_text(json.dumps([ROW]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figures, "ROOT", tmp_path)
    assert figures.kept_history(card(), tmp_path) == [ROW]
    assert figures.kept_history(card(name="another"), tmp_path) is None


def test_training_has_a_panel_for_each_weight_and_a_line_for_each_set_that_shows_damage() -> None:
    drawn = figures.training({f"net-{n}": [ROW, ROW | {"Rain100L": 31.0, "elapsed_s": 3600.0}] for n in range(5)})
    assert [axes.get_title(loc="left") for axes in drawn.axes] == [f"net-{n}" for n in range(5)]
    assert [line.get_label() for line in drawn.axes[0].lines] == ["Rain100L: 31.00 dB"]
    assert "first six pictures" in drawn.get_supxlabel()
    assert signature(Validation).parameters["per_set"].default == 6


def test_quality_lies_over_the_fastest_cpu_runtime() -> None:
    rows = [cost("net", "onnx", 100, 50), cost("net", "openvino", 100, 20), cost("net", "torch eager", 100, 1)]
    (axes,) = figures.quality_against_speed([card(), card(name="not measured")], rows).axes
    (line,) = axes.lines
    assert (list(line.get_xdata()), list(line.get_ydata())) == ([0.5, 0.5], [25.0, 33.0])


def test_latency_has_a_histogram_for_each_level() -> None:
    levels = [{"clients": n, "seconds": 4.0, "latencies_s": [0.5, 1.0, 1.5, 2.0], "refused": 0} for n in (1, 4)]
    drawn = figures.latency({"network": "net", "width": 256, "height": 256, "levels": levels})
    assert [axes.get_title(loc="left").partition(":")[0] for axes in drawn.axes] == ["1 client", "4 clients"]
    assert drawn.axes[0].get_title(loc="left") == "1 client: 1.00 pictures a second; p50 1.25 s, p95 1.92 s, p99 1.98 s"


@pytest.mark.parametrize("name", ["training.png", "quality-speed.png", "latency.png"])
def test_the_readme_shows_every_figure(name: str) -> None:
    assert f"docs/figures/{name}" in (figures.ROOT / "README.md").read_text()
    assert (figures.FIGURES / name).read_bytes().startswith(b"\x89PNG")
