from __future__ import annotations

import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import small_networks
from service_bench import Inverter, manifest

from export import runners
from export.manifest import Graph, Manifest, file_sha256
from export.runners import BackendError
from imaging.errors import OutOfMemory, PlanError, UnsupportedImage
from imaging.mosaic import PATTERNS
from service.catalogue import Artifact
from service.engine import Engine, Options
from service.errors import NotReady
from service.planning import cut, mode, tile_units

DIGEST = "0" * 64


def ladder(*tiles: int, **fields: object) -> Manifest:
    return manifest(graphs=tuple(Graph(tile=t, file=f"{t}.onnx", sha256=DIGEST, nodes=1) for t in tiles), **fields)


@pytest.mark.parametrize(
    ("height", "width", "tile"),
    [(30, 30, 64), (64, 64, 64), (60, 58, 64), (250, 250, 256), (3000, 4000, 256), (1, 1, 64)],
)
def test_the_tile_of_the_ladder_that_makes_the_least_work_is_taken(height: int, width: int, tile: int) -> None:
    plan = cut(ladder(64, 256), height, width)
    assert plan.tile_shape == (tile, tile)


def test_a_picture_of_exactly_one_tile_needs_no_halo() -> None:
    plan = cut(ladder(16, 256, halo=8), 16, 16)
    assert (len(plan), plan.tile_shape) == (1, (16, 16))


def test_a_tile_too_small_for_its_halo_serves_no_larger_picture() -> None:
    assert cut(ladder(16, 256, halo=8), 40, 40).tile_shape == (256, 256)


def test_a_picture_within_a_tile_that_is_too_small_for_the_halo_is_not_filled_up_to_a_larger_one() -> None:
    assert cut(ladder(64, 256, halo=64), 60, 40).tile_shape == (64, 64)


def test_a_tile_that_was_not_exported_is_refused_with_those_that_were() -> None:
    with pytest.raises(PlanError, match="64, 256, not of 128"):
        cut(ladder(64, 256), 500, 500, tile=128)
    with pytest.raises(PlanError, match="torch backend"):
        cut(ladder(64, 256), 500, 500, tile=0)


def test_a_runner_of_any_size_takes_the_whole_picture_at_once() -> None:
    plan = cut(ladder(64), 500, 300, tile=0, fixed=False)
    assert (len(plan), plan.tile_shape) == (1, (504, 304))


def test_a_tile_unit_is_256_by_256_pixels_through_the_network() -> None:
    assert tile_units(cut(ladder(256, halo=0), 512, 256)) == 2


def test_an_engine_restores_a_picture_and_reports_each_batch(tmp_path: Path) -> None:
    engine = Engine(Artifact(tmp_path, ladder(64)), Options(batch=4), load=lambda *_, **__: Inverter())
    image = np.random.default_rng(0).random((100, 150, 3), dtype=np.float32)
    batches: list[int] = []
    plan = engine.chart(100, 150)
    restored = engine.restore(image, plan, on_batch=lambda tiles, seconds: batches.append(tiles))
    np.testing.assert_allclose(restored, 1 - image, atol=1e-6)
    assert sum(batches) == len(plan)
    assert max(batches) == 4


@pytest.mark.parametrize(("device", "batches"), [("cpu", [1]), ("cuda", [1, 4])])
def test_warming_runs_a_full_batch_on_a_gpu(tmp_path: Path, device: str, batches: list[int]) -> None:
    seen: list[int] = []

    def at_most_two(tiles: np.ndarray) -> np.ndarray:
        seen.append(len(tiles))
        if len(tiles) > 2:
            raise OutOfMemory("full")
        return 1 - tiles

    artifact = Artifact(tmp_path, ladder(64))
    Engine(artifact, Options(device=device, batch=4), load=lambda *_, **__: at_most_two).warm()
    assert seen == batches


def test_where_torch_may_not_run_the_next_backend_is_taken(tmp_path: Path) -> None:
    artifact = Artifact(tmp_path, ladder(64, backends=("torch", "onnx")))
    assert Engine(artifact, Options(torch=False), load=lambda *_, **__: Inverter()).backend == "onnx"
    artifact = Artifact(tmp_path, ladder(64, backends=("torch",)))
    with pytest.raises(BackendError, match="torch runs in workers alone"):
        Engine(artifact, Options(torch=False), load=lambda *_, **__: Inverter())


def test_a_batch_that_does_not_fit_is_reported_and_halved(tmp_path: Path) -> None:
    def at_most_two(tiles: np.ndarray) -> np.ndarray:
        if len(tiles) > 2:
            raise OutOfMemory("full")
        return 1 - tiles

    engine = Engine(Artifact(tmp_path, ladder(64)), Options(batch=4), load=lambda *_, **__: at_most_two)
    image = np.random.default_rng(0).random((100, 150, 3), dtype=np.float32)
    reports: list[tuple[int, bool]] = []
    engine.restore(
        image, engine.chart(100, 150), on_batch=lambda tiles, seconds: reports.append((tiles, seconds is None))
    )
    assert reports[:2] == [(4, True), (2, False)]


def test_the_first_backend_that_this_host_has_is_taken(tmp_path: Path) -> None:
    def load(backend: str, *_: object, **__: object) -> Inverter:
        if backend == "openvino":
            raise BackendError("not installed")
        return Inverter()

    artifact = Artifact(tmp_path, ladder(64, backends=("openvino", "onnx")))
    assert Engine(artifact, load=load).backend == "onnx"
    with pytest.raises(BackendError, match="not installed"):
        Engine(artifact, Options(backend="openvino"), load=load)


def test_each_graph_is_loaded_once(tmp_path: Path) -> None:
    loaded: list[str] = []

    def load(backend: str, path: Path, **_: object) -> Inverter:
        loaded.append(path.name)
        return Inverter()

    engine = Engine(Artifact(tmp_path, ladder(64, 256)), load=load)
    engine.warm()
    engine.warm()
    assert loaded == ["64.onnx", "256.onnx"]


def test_a_picture_of_other_channels_is_refused(tmp_path: Path) -> None:
    engine = Engine(Artifact(tmp_path, ladder(64, in_channels=1, out_channels=3)), load=lambda *_, **__: Inverter())
    with pytest.raises(UnsupportedImage, match=r"takes pictures of 1 channel.* has 3"):
        engine.restore(np.zeros((8, 8, 3), dtype=np.float32), engine.chart(8, 8))


def sorter(tiles: np.ndarray) -> np.ndarray:
    """A network for RGGB that puts every value into its filter's own channel, and nothing between."""
    answers = np.zeros((len(tiles), 3, *tiles.shape[2:]), dtype=np.float32)
    for channel, row, column in ((0, 0, 0), (1, 0, 1), (1, 1, 0), (2, 1, 1)):
        answers[:, channel, row::2, column::2] = tiles[:, 0, row::2, column::2]
    return answers


@pytest.mark.parametrize("pattern", [None, *PATTERNS])
def test_a_mosaic_of_every_pattern_goes_through_a_network_of_one(tmp_path: Path, pattern: str | None) -> None:
    fields = {"task": "demosaic", "in_channels": 1, "pattern": "rggb"}
    engine = Engine(Artifact(tmp_path, ladder(64, **fields)), load=lambda *_, **__: sorter)
    mosaic = np.random.default_rng(0).random((101, 150, 1), dtype=np.float32) + 0.1
    plan = engine.chart(101, 150, pattern=pattern)
    colours = engine.restore(mosaic, plan, pattern=pattern)
    assert colours.shape == (101, 150, 3)
    for at, colour in enumerate(pattern or "rggb"):
        block = np.s_[at // 2 :: 2, at % 2 :: 2]
        np.testing.assert_array_equal(colours[block][..., "rgb".index(colour)], mosaic[block][..., 0])
    tiles = engine.restore_tiles(mosaic, plan, plan.positions, pattern=pattern)
    assert all(tile.any(axis=(1, 2)).all() for tile in tiles)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_of_a_mosaic_only_the_tiles_that_are_asked_for_are_read(tmp_path: Path, pattern: str) -> None:
    fields = {"task": "demosaic", "in_channels": 1, "pattern": "rggb"}
    engine = Engine(Artifact(tmp_path, ladder(64, **fields)), load=lambda *_, **__: sorter)
    mosaic = np.zeros((1500, 1500, 1), dtype=np.float32)
    plan = engine.chart(1500, 1500, pattern=pattern)
    engine.restore_tiles(mosaic, plan, plan.positions[:1], pattern=pattern)
    tracemalloc.start()
    try:
        engine.restore_tiles(mosaic, plan, plan.positions[:1], pattern=pattern)
        assert tracemalloc.get_traced_memory()[1] < mosaic.nbytes / 10
    finally:
        tracemalloc.stop()


def test_a_picture_with_colours_is_no_mosaic(tmp_path: Path) -> None:
    fields = {"task": "demosaic", "in_channels": 1, "pattern": "rggb"}
    engine = Engine(Artifact(tmp_path, ladder(64, **fields)), load=lambda *_, **__: sorter)
    with pytest.raises(UnsupportedImage, match="A mosaic is a grey picture"):
        engine.restore(np.zeros((8, 8, 3), np.float32), engine.chart(8, 8))


@pytest.fixture
def exported(tmp_path: Path) -> Manifest:
    graphs = []
    for tile in (64, 256):
        (tmp_path / f"{tile}.onnx").write_bytes(b"the network of the first export")
        graphs.append(Graph(tile=tile, file=f"{tile}.onnx", sha256=file_sha256(tmp_path / f"{tile}.onnx"), nodes=1))
    return manifest(graphs=tuple(graphs))


@pytest.mark.parametrize("gone", [False, True])
def test_a_tile_opened_late_is_of_the_same_export_as_the_others_or_refused(
    tmp_path: Path, exported: Manifest, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    backend = SimpleNamespace(load=lambda path, **_: Inverter())
    monkeypatch.setattr(runners, "import_module", lambda name: backend)
    engine = Engine(Artifact(tmp_path, exported))
    if gone:
        (tmp_path / "256.onnx").unlink()
    else:
        (tmp_path / "256.onnx").write_bytes(b"another network")
    small, large = (np.zeros((side, side, 3), np.float32) for side in (64, 256))
    engine.restore(small, engine.chart(64, 64))
    with pytest.raises(NotReady, match=r"exported anew.*restarted"):
        engine.restore(large, engine.chart(256, 256))


def test_a_tile_whose_graph_was_replaced_goes_through_the_segments_opened_before(tmp_path: Path) -> None:
    small_networks.write(tmp_path, (64, 128))
    artifact = Artifact.read(tmp_path / "small")
    engine, former = (Engine(artifact, Options(threads=1)) for _ in range(2))
    engine.warm()
    picture = np.random.default_rng(0).random((128, 128, 3), dtype=np.float32)
    course = engine.chart(128, 128)
    assert mode(course) == "whole"
    wanted = former.restore(picture, course)
    (tmp_path / "small" / artifact.manifest.graph(128).file).write_bytes(b"another network")
    assert np.abs(engine.restore(picture, course) - wanted).max() * 255 < 0.01
