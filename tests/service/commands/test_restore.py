from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx_inverter
import pytest
from service_bench import inverted, pixels, png

from service import cli


@pytest.fixture(autouse=True)
def _artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSEAM_ARTIFACTS", str(onnx_inverter.write(tmp_path / "artifacts")))
    monkeypatch.chdir(tmp_path)
    Path("in.png").write_bytes(png(200, 100))


def restore(*arguments: str) -> int:
    return cli.main(["restore", "in.png", "-o", "out.png", "--task", "derain", *arguments])


def test_a_picture_is_restored_to_a_file() -> None:
    assert restore() == 0
    np.testing.assert_array_equal(pixels(Path("out.png").read_bytes()), inverted(Path("in.png").read_bytes()))
    assert sorted(path.name for path in Path().iterdir()) == ["artifacts", "in.png", "out.png"]


def test_json_says_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert restore("--json", "--tile", "64", "--halo", "16") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["width"], report["height"], report["tile"], report["halo"]) == (200, 100, 64, 16)
    assert report["model"] == "inverter"
    assert report["backend"] == "onnx"
    assert report["tiles"] > 1
    assert report["seconds"].keys() == {"decode", "load", "infer", "encode"}


@pytest.mark.parametrize("name", ["out.webp", "out.tif", "out.jpeg"])
def test_the_outputs_name_decides_its_format(name: str) -> None:
    assert cli.main(["restore", "in.png", "-o", name, "--task", "derain"]) == 0
    assert pixels(Path(name).read_bytes()).shape == (100, 200, 3)


def test_the_output_has_the_permissions_of_any_new_file() -> None:
    restore()
    Path("plain").touch()
    assert Path("out.png").stat().st_mode == Path("plain").stat().st_mode


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.png", "-o", "out.png", "--task", "derain"], "missing.png cannot be read: No such file"),
        (["in.png", "-o", "out.bmp", "--task", "derain"], "has to end in one of"),
        (["in.png", "-o", "nowhere/out.png", "--task", "derain"], "no folder nowhere"),
        (["in.png", "-o", "out.png", "--task", "derian"], "No task 'derian'"),
        (["in.png", "-o", "out.png", "--task", "derain", "--tile", "100"], "tiles of 64, not of 100"),
        (["in.png", "-o", "out.png", "--task", "derain", "--halo", "32"], "leaves no core"),
        (["in.png", "-o", "out.png", "--task", "derain", "--backend", "torch"], "torch"),
        (["text.png", "-o", "out.png", "--task", "derain"], "text, not a picture"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_writes_nothing(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    Path("text.png").write_text("Dear Sir or Madam")
    assert cli.main(["restore", *arguments]) == 2
    complaint = capsys.readouterr().err
    assert words in complaint
    assert complaint.count("\n") == 1
    assert not Path("out.png").exists()


def test_without_networks_the_user_is_told_how_to_make_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNSEAM_ARTIFACTS", "empty")
    assert restore() == 2
    assert "unseam export --missing" in capsys.readouterr().err


def test_a_failed_write_leaves_the_old_output_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.png").write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert restore("--force") == 1
    assert Path("out.png").read_bytes() == b"old"
    assert not list(Path().glob(".out.png*"))
