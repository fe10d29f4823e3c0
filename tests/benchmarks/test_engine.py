from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import torch

from benchmarks import command
from benchmarks.engine import Cost
from export import manifest as manifests
from export import stage
from export.manifest import ManifestError
from export.stage import Options
from export.subject import Subject
from models.ipt_v2.model import IPTV2, Config


def bench(*options: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(options))


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = IPTV2(Config(embed_dim=8, depths=(1, 1), num_heads=(1, 2), grid=4, window=16, cell=32)).eval()
    subject = Subject(model, "small", 1, "derain", "ipt_v2", None, "0" * 64, "", False, halo=16)
    (tmp_path / "small").mkdir()
    stage.export(subject, tmp_path / "small", Options(backends=("onnx",), tiles=(64,), trust_halo=True))
    return tmp_path


def test_every_runtime_is_compared_with_torch_and_with_the_machine(
    artifacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        bench("engine", "--artifacts", str(artifacts), "--skip-compile", "--runs", "1", "--rounds", "2", "--json") == 0
    )
    report = json.loads(capsys.readouterr().out)
    written, eager, onnx = report["rows"]
    assert [row["runtime"] for row in report["rows"]] == ["torch as written", "torch eager", "onnx"]
    assert onnx["times_written"] == pytest.approx(written["cost"]["cpu_ms_per_tile"] / onnx["cost"]["cpu_ms_per_tile"])
    assert eager["times_eager"] == 1
    assert onnx["times_eager"] == pytest.approx(eager["cost"]["cpu_ms_per_tile"] / onnx["cost"]["cpu_ms_per_tile"])
    assert onnx["megapixels_per_s"] == pytest.approx(64 * 64 / 1e3 / onnx["cost"]["ms_per_tile"])
    assert 0 < onnx["floor_ms"] < onnx["cost"]["cpu_ms_per_tile"]
    assert 20 < onnx["cost"]["peak_mb"] < 4000
    assert report["macs_per_s"] > 1e8


def test_a_runtime_that_is_not_measured_is_named(artifacts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = manifests.load(artifacts / "small")
    manifests.save(manifest.model_copy(update={"backends": ("tensorrt-rtx", "onnx", "torch")}), artifacts / "small")
    assert bench("engine", "--artifacts", str(artifacts), "--skip-compile", "--runs", "1", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    (left_out,) = report["left_out"]
    assert (left_out["network"], left_out["tile"], left_out["runtime"]) == ("small", 64, "tensorrt-rtx")
    assert left_out["why"] == "runs on a GPU, and this measures the CPU"
    assert report["ratios_of"] in report["rows"][0]["cost"]


def test_a_tile_that_no_artifact_has_is_refused_with_those_that_are(artifacts: Path) -> None:
    with pytest.raises(ManifestError, match="no artifact has tiles of 128; there are 64"):
        bench("engine", "--artifacts", str(artifacts), "--tiles", "64,128")


def test_of_several_rounds_the_best_time_and_the_most_memory_count() -> None:
    assert Cost(3, 5, 100).best(Cost(2, 6, 90)) == Cost(2, 5, 100)


@pytest.mark.parametrize("option", ["--threads", "--runs", "--rounds"])
def test_nothing_is_measured_no_times(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench("engine", option, "0")
    assert "takes a whole number from 1 on, not 0" in capsys.readouterr().err


def test_without_artifacts_it_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="unseam export --missing makes them"):
        bench("engine", "--artifacts", str(tmp_path))
