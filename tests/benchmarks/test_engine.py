from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import command
from benchmarks.engine import measure
from benchmarks.engine_runtimes import COMPILED, runtimes
from export import manifest as manifests
from export.manifest import ManifestError
from service import cli


def bench(*options: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(options))


def reported(capsys: pytest.CaptureFixture[str], artifacts: Path, *options: str) -> dict[str, Any]:
    assert bench("engine", "--artifacts", str(artifacts), "--runs", "1", "--json", *options) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def test_every_runtime_is_compared_with_torch_and_the_machine_or_left_out_by_name(
    artifacts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = manifests.load(artifacts / "small")
    manifests.save(manifest.model_copy(update={"backends": ("tensorrt-rtx", "onnx", "torch")}), artifacts / "small")
    report = reported(capsys, artifacts, "--skip-compile", "--rounds", "2")
    written, eager, onnx = report["rows"]
    assert [row["runtime"] for row in report["rows"]] == ["torch as written", "torch eager", "onnx"]
    assert onnx["times_written"] == pytest.approx(written["cost"]["cpu_ms_per_tile"] / onnx["cost"]["cpu_ms_per_tile"])
    assert eager["times_eager"] == 1
    assert onnx["times_eager"] == pytest.approx(eager["cost"]["cpu_ms_per_tile"] / onnx["cost"]["cpu_ms_per_tile"])
    assert onnx["megapixels_per_s"] == pytest.approx(64 * 64 / 1e3 / onnx["cost"]["ms_per_tile"])
    assert 0 < onnx["floor_ms"] < onnx["cost"]["cpu_ms_per_tile"]
    assert 20 < onnx["cost"]["peak_mb"] < 4000
    assert onnx["cost"]["gpu_mb"] is None
    assert report["macs_per_s"]["fp32"] > 1e8
    assert (report["device"], report["ratios_of"]) == ("cpu", "cpu_ms_per_tile")
    assert report["left_out"] == [{"network": "small", "tile": 64, "runtime": "tensorrt-rtx", "why": "needs a GPU"}]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_none_is_measured(artifacts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "engine", "--device", "cuda", "--artifacts", str(artifacts)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == ("unseam bench: --device cuda needs a GPU, and a torch built for CUDA: this one sees no GPU\n")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_runtimes_are_compared_by_the_clock(artifacts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = reported(capsys, artifacts, "--device", "cuda")
    rows = {row["runtime"]: row for row in report["rows"]}
    told = rows.keys() | {left_out["runtime"] for left_out in report["left_out"]}
    assert told == {"torch as written", "torch eager", "torch.compile", "onnx", "tensorrt", "tensorrt-rtx"}
    eager, compiled = rows["torch eager"], rows["torch.compile"]
    assert compiled["times_eager"] == pytest.approx(eager["cost"]["ms_per_tile"] / compiled["cost"]["ms_per_tile"])
    for row in rows.values():
        assert 0 < row["floor_ms"] < row["cost"]["ms_per_tile"], row["runtime"]
        assert 0 < row["cost"]["gpu_mb"] < 20_000, row["runtime"]
    assert report["device"] == torch.cuda.get_device_name()


def test_an_engine_that_cannot_be_had_is_left_out_and_the_rest_is_measured(artifacts: Path) -> None:
    made, _ = runtimes(artifacts / "small", manifests.load(artifacts / "small"), 64, "cpu", 1)
    make, (_, *arguments) = made["onnx"]
    chosen = {"tensorrt-rtx": (make, ("tensorrt-rtx", *arguments)), "onnx": made["onnx"]}
    costs, failed = measure(chosen, (1, 3, 64, 64), "cpu", runs=1, rounds=2)
    assert list(costs) == ["onnx"]
    assert failed == {"tensorrt-rtx": "gave up: the tensorrt_rtx backend runs on cuda or cuda:N, not on cpu"}


@pytest.mark.slow
def test_where_torch_cannot_compile_it_is_said_why(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CXX", "/bin/false")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    made, _ = runtimes(artifacts / "small", manifests.load(artifacts / "small"), 64, "cpu", 1)
    costs, failed = measure({COMPILED: made[COMPILED]}, (1, 3, 64, 64), "cpu", runs=1, rounds=2)
    assert not costs
    assert failed[COMPILED].startswith("gave up: InvalidCxxCompiler: No working C++ compiler found")


def test_a_tile_that_no_artifact_has_is_refused_with_those_that_are(artifacts: Path) -> None:
    with pytest.raises(ManifestError, match="no artifact has tiles of 128; there are 64"):
        bench("engine", "--artifacts", str(artifacts), "--tiles", "64,128")


@pytest.mark.parametrize("option", ["--threads", "--runs", "--rounds"])
def test_nothing_is_measured_no_times(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench("engine", option, "0")
    assert "takes a whole number from 1 on, not 0" in capsys.readouterr().err


def test_without_artifacts_it_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="unseam export --missing makes them"):
        bench("engine", "--artifacts", str(tmp_path))
