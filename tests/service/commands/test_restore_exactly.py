"""The answer does not depend on how the picture was cut, nor on whether it fits in memory."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import small_networks
from numpy.typing import NDArray
from service_bench import pixels, png

from imaging.codec import Picture, encode
from imaging.errors import OutOfMemory
from service import cli
from service.batch import local

SIZE = (203, 141)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("artifacts")
    small_networks.write(root)
    return root


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artifacts: Path) -> None:
    monkeypatch.setenv("UNSEAM_ARTIFACTS", str(artifacts))
    monkeypatch.setenv("UNSEAM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    Path("in.png").write_bytes(png(*SIZE))


def restore(*arguments: str, source: str = "in.png", target: str = "out.png") -> int:
    return cli.main(["restore", source, "-o", target, "--task", "derain", "--force", *arguments])


def result(*arguments: str) -> NDArray[np.int16]:
    assert restore(*arguments) == 0
    return pixels(Path("out.png").read_bytes()).astype(np.int16)


@pytest.mark.parametrize("tile", [(), ("--tile", "64"), ("--tile", "128"), ("--tile", "96")])
def test_every_tile_gives_the_picture_of_none(tile: tuple[str, ...]) -> None:
    whole, tiled = result("--tile", "0"), result(*tile)
    assert np.mean(whole == tiled) >= 0.9995
    assert np.abs(whole - tiled).max() <= 1
    assert np.abs(whole - pixels(Path("in.png").read_bytes())).max() > 3  # it does something


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [
        (["--tile", "0"], "whole"), ([], "staged"), (["--tile", "64"], "staged"), (["--halo", "16"], "bounded"),
    ],
)  # fmt: skip
def test_the_report_says_how_it_was_done(arguments: list[str], mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert restore("--json", *arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["mode"] == mode
    assert (report["work"] == 1) == (mode == "whole")


def test_a_tile_without_a_core_is_refused_with_one_that_has_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert restore("--tile", "16") == 2
    assert "it must be at least" in capsys.readouterr().err


def test_where_no_tile_fits_in_memory_smaller_ones_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from export.runners import onnx

    expected, load, tried = result("--tile", "0"), onnx.load, []

    def small(*arguments: object, **options: object) -> object:
        run = load(*arguments, **options)

        def limited(*maps: NDArray[np.float32]) -> NDArray[np.float32]:
            tried.append(max(maps[0].shape[1:3]))
            if tried[-1] > 64:
                raise OutOfMemory("full")
            return run(*maps)

        return limited

    monkeypatch.setattr(onnx, "load", small)
    found = result("--tile", "0")
    assert max(tried) > 128
    assert np.mean(found == expected) >= 0.9995
    assert np.abs(found - expected).max() <= 1


def test_a_picture_too_large_for_memory_goes_from_file_to_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore("--tile", "64", target="out.tif") == 0
    expected = pixels(Path("out.tif").read_bytes())
    monkeypatch.setattr(local, "BY_ROWS_PIXELS", 64)
    monkeypatch.setattr(local, "decode", None)  # it would need the whole picture
    assert restore("--tile", "64", "--json", target="rows.tif") == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["width"], report["height"], report["mode"]) == (*SIZE, "staged")
    np.testing.assert_array_equal(pixels(Path("rows.tif").read_bytes()), expected)


@pytest.mark.parametrize("grey", [False, True])
def test_depth_and_channels_stay_from_file_to_file(monkeypatch: pytest.MonkeyPatch, grey: bool) -> None:
    noise = np.random.default_rng(0).random((70, 90, 1 if grey else 3), dtype=np.float32)
    Path("in.tif").write_bytes(encode(Picture(noise, depth=16)))
    assert restore(source="in.tif", target="whole.png") == 0
    monkeypatch.setattr(local, "BY_ROWS_PIXELS", 64)
    assert restore(source="in.tif", target="out.tif") == 0
    whole, rows = (local.decode(Path(name).read_bytes()) for name in ("whole.png", "out.tif"))
    assert (rows.depth, rows.pixels.shape) == (16, noise.shape)
    assert np.abs(whole.pixels - rows.pixels).max() <= 2 / 65535


def test_grey_stays_grey_from_file_to_file(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.random.default_rng(0).random((70, 90, 1), dtype=np.float32)
    Path("in.tif").write_bytes(encode(Picture(np.repeat(grey, 3, axis=2))))
    assert restore(source="in.tif", target="whole.tif") == 0
    monkeypatch.setattr(local, "BY_ROWS_PIXELS", 64)
    monkeypatch.setattr(local, "decode", None)  # it would need the whole picture
    assert restore(source="in.tif", target="out.tif") == 0
    whole, rows = (pixels(Path(name).read_bytes()) for name in ("whole.tif", "out.tif"))
    assert rows.shape == (70, 90, 3)
    np.testing.assert_array_equal(rows, whole)


def test_when_it_is_interrupted_half_way_there_is_no_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(done: int, total: int) -> None:
        if 0 < total <= 2 * done:
            raise KeyboardInterrupt

    monkeypatch.setattr(local, "BY_ROWS_PIXELS", 64)
    monkeypatch.setattr("service.batch.progress.Bars.begin", lambda *_: interrupt)
    before = sorted(Path().iterdir())
    assert restore("--tile", "64", target="out.tif") == cli.INTERRUPTED
    assert sorted(Path().iterdir()) == before


def test_altered_segments_are_refused(
    tmp_path: Path, artifacts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(artifacts, tmp_path / "copy")
    graph = copy / "small" / "staged-00.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    monkeypatch.setenv("UNSEAM_ARTIFACTS", str(copy))
    assert restore() == 2
    assert "staged-00.onnx is missing or was altered" in capsys.readouterr().err
