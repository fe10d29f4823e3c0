"""A backend is used only where its answers to the artifact's probe are the network's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_networks
from service_bench import manifest

from export import manifest as manifests
from export import probe, runners
from export.figures import Expected
from export.manifest import File
from export.runners import BackendError
from service.catalogue import Artifact
from service.engine import Engine, Options
from service.trial import Trial

TILES = (64, 128)
BRIGHTER = np.float32(0.01)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("artifacts")
    small_networks.write(root, TILES)
    return root / "small"


@pytest.fixture
def artifact(folder: Path) -> Artifact:
    """As if it had been exported for TensorRT too."""
    read = Artifact.read(folder)
    return Artifact(folder, read.manifest.model_copy(update={"backends": ("tensorrt", "onnx")}), read.staged)


def tensorrt(brighter: Callable[[np.ndarray], bool]) -> Callable[..., runners.Runner]:
    """Loads ONNX Runtime for every backend; tiles that are `brighter` come back so from one called tensorrt."""

    def load(backend: str, path: Path, *, device: str, **options: Any) -> runners.Runner:
        right = runners.load("onnx", path, **options)
        if backend == "onnx":
            return right
        return lambda tiles: right(tiles) + BRIGHTER * brighter(tiles)

    return load


@pytest.mark.parametrize("batch", [1, 4])
def test_a_backend_that_answers_as_the_network_is_used(artifact: Artifact, batch: int) -> None:
    engine = Engine(artifact, Options(device="cuda", threads=1, batch=batch), load=tensorrt(lambda _: False))
    engine.warm()
    assert engine.backend == "tensorrt"


@pytest.mark.parametrize(
    ("batch", "brighter", "said"),
    [
        (1, lambda tiles: True, "tensorrt at tile 64 is off by 1.0e-02 (at most 1e-04)"),
        (1, lambda tiles: tiles.shape[-1] == 128, "tensorrt at tile 128 is off by 1.0e-02 (at most 1e-04)"),
        (4, lambda tiles: len(tiles) > 1, "tensorrt at tile 64 in batches is off by 1.0e-02 (at most 1e-04)"),
    ],
    ids=["everywhere", "in larger tiles", "in batches"],
)
def test_one_that_answers_otherwise_leaves_its_place_to_the_next(
    artifact: Artifact,
    caplog: pytest.LogCaptureFixture,
    batch: int,
    brighter: Callable[[np.ndarray], bool],
    said: str,
) -> None:
    segment = tensorrt(lambda _: False)  # no GPU is needed for those either
    options = Options(device="cuda", threads=1, batch=batch)
    engine = Engine(artifact, options, load=tensorrt(brighter), load_segment=segment)
    engine.warm()
    assert engine.backend == "onnx"
    assert [record.getMessage() for record in caplog.records] == [f"small does not run on tensorrt: {said}"]
    picture = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    right = Engine(artifact, Options(backend="onnx", threads=1)).restore(picture, engine.chart(64, 64))
    assert np.array_equal(engine.restore(picture, engine.chart(64, 64)), right)


def test_nothing_that_was_opened_on_a_backend_outlives_it(artifact: Artifact) -> None:
    opened: list[tuple[str, str]] = []
    load = tensorrt(lambda tiles: tiles.shape[-1] == 128)

    def noted(backend: str, path: Path, **options: Any) -> runners.Runner:
        opened.append((backend, path.name))
        return load(backend, path, **options)

    Engine(artifact, Options(threads=1), load=noted).warm()
    small, large = (artifact.manifest.graph(side).file for side in TILES)
    assert opened == [("tensorrt", small), ("tensorrt", large), ("onnx", small)]


def test_one_that_was_asked_for_by_name_has_no_next(artifact: Artifact) -> None:
    with pytest.raises(BackendError, match=r"small runs on no backend here: tensorrt at tile 64 is off by 1\.0e-02"):
        Engine(artifact, Options(backend="tensorrt", device="cuda", threads=1), load=tensorrt(lambda _: True))


def test_segments_are_tried_as_well(artifact: Artifact) -> None:
    def load_segment(*which: Any, **options: Any) -> Callable[..., np.ndarray]:
        right = runners.load(*which, **options)
        return lambda *maps: right(*maps) + BRIGHTER  # type: ignore[call-arg]

    engine = Engine(artifact, Options(backend="onnx", threads=1), load_segment=load_segment)
    with pytest.raises(BackendError, match=r"no backend here: onnx in segments is off by .* \(at most 1e-04\)"):
        engine.warm()


def test_the_trial_is_on_the_cpu_too_unless_told_otherwise(artifact: Artifact) -> None:
    load = tensorrt(lambda _: True)
    assert Engine(artifact, Options(threads=1), load=load).backend == "onnx"
    assert Engine(artifact, Options(threads=1, tried=False), load=load).backend == "tensorrt"


def test_an_artifact_with_other_answers_runs_nowhere(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    read = probe.load(folder / probe.FILE_NAME)
    others = {side: Expected(np.zeros((1, 3, side, side), np.float32)) for side in read.expected}
    probe.save(tmp_path / probe.FILE_NAME, read.picture, others)
    described = File(file=probe.FILE_NAME, sha256=manifests.file_sha256(tmp_path / probe.FILE_NAME))
    manifests.save(manifests.load(folder).model_copy(update={"probe": described}), tmp_path)
    with pytest.raises(BackendError, match="small runs on no backend here: onnx at tile 64 is off by"):
        Engine(Artifact.read(tmp_path), Options(threads=1))


@pytest.mark.parametrize(("noise", "within"), [(3e-4, True), (3e-3, False)])
def test_in_half_precision_decibels_count(tmp_path: Path, noise: float, within: bool) -> None:
    random = np.random.default_rng(0)
    right = random.random((1, 3, 64, 64), dtype=np.float32)
    probe.save(tmp_path / probe.FILE_NAME, probe.picture(3), {64: Expected(right, abreast=2)})
    described = File(file=probe.FILE_NAME, sha256=manifests.file_sha256(tmp_path / probe.FILE_NAME))
    trial = Trial(Artifact(tmp_path, manifest(precision="fp16", probe=described)))
    answers = right + random.normal(0, noise, right.shape).astype(np.float32)
    if within:
        trial.judge(answers, 64, "onnx")
    else:
        with pytest.raises(BackendError, match=r"onnx is at 50\.\d dB in fp16 \(at least 60 dB\)"):
            trial.judge(answers, 64, "onnx")


def test_an_artifact_without_a_probe_is_asked_black_tiles_and_any_answer_will_do(tmp_path: Path) -> None:
    trial = Trial(Artifact(tmp_path, manifest()))
    assert not trial.tile(64).any()
    trial.judge(np.ones((1, 3, 64, 64), np.float32), 64, "onnx")


def test_it_takes_no_torch(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from service.catalogue import Artifact; from service.engine import *;"
        "Engine(Artifact.read(Path(sys.argv[1])), Options(threads=1)).warm();"
        "sys.exit(bool({'torch', 'safetensors', 'onnx'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code, str(folder)], cwd=root, check=False).returncode == 0
