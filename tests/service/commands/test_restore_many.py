from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_inverter
import pytest
from PIL import Image
from service_bench import Bench, inverted, picture, pixels, png

from service import cli

KINDS = ("png", "webp", "tiff", "jpeg", "png")
# The command, and Ctrl-C while it writes its 21st result. A shell's background jobs inherit a SIGINT that is ignored.
INTERRUPTED = """
import os, signal, sys
from service.cli import main

fsync, written = os.fsync, []

def interrupted(descriptor):
    written.append(descriptor)
    if len(written) == 21:
        signal.raise_signal(signal.SIGINT)
    fsync(descriptor)

signal.signal(signal.SIGINT, signal.default_int_handler)
os.fsync = interrupted
sys.exit(main())
"""


@pytest.fixture(autouse=True)
def _artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSEAM_ARTIFACTS", str(onnx_inverter.write(tmp_path / "artifacts")))
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()


def restore(*arguments: str) -> int:
    return cli.main(["restore", *arguments, "--task", "derain"])


def write(path: str, seed: int = 1) -> Path:
    file = Path(path)
    file.parent.mkdir(exist_ok=True, parents=True)
    options = {"lossless": True} if file.suffix == ".webp" else {"quality": 95}
    picture(210, 160, seed).save(file, **options)
    return file


def test_a_folder_of_fifty_mixed_pictures_is_interrupted_and_resumed() -> None:
    sources = [write(f"in/{n % 3}/{n}.{KINDS[n % len(KINDS)]}", seed=n) for n in range(50)]
    command = [sys.executable, "-c", INTERRUPTED, "restore", "in", "-o", "out", "--task", "derain"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    first = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    done = {file: file.stat().st_mtime_ns for file in Path("out").rglob("*") if file.is_file()}
    assert first.returncode == 130, first.stderr
    assert len(done) == 20
    assert "20 restored, 30 not done (--resume goes on)" in first.stderr

    assert restore("in", "-o", "out") == 2
    assert restore("in", "-o", "out", "--resume") == 0
    results = [Path("out", *source.parts[1:]) for source in sources]
    assert sorted(results) == sorted(path for path in Path("out").rglob("*") if path.is_file())
    assert all(file.stat().st_mtime_ns == moment for file, moment in done.items())
    for source, result in zip(sources, results, strict=True):
        difference = pixels(result.read_bytes()).astype(int) - inverted(source.read_bytes())
        assert abs(difference).mean() <= (6 if source.suffix == ".jpeg" else 0), source


def test_a_picture_that_fails_is_told_of_and_the_others_are_restored(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write("in/a.png"), Path("in/b.png")
    bad.write_bytes(png(200, 200)[:5000])
    Path("in/c.heic").touch()
    assert restore("in", "-o", "out", "--json") == 1
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert [entry["input"] for entry in report["restored"]] == [str(good)]
    assert [entry["input"] for entry in report["failed"]] == [str(bad)]
    assert "damaged or cut short" in report["failed"][0]["error"]
    assert "in/b.png: This PNG is damaged" in captured.err
    assert "1 restored, 1 failed, 1 other files ignored in 0:0" in captured.err
    assert [path.name for path in Path("out").iterdir()] == ["a.png"]


def test_what_is_there_is_overwritten_only_when_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c"):
        write(f"in/{name}.png")
    Path("out").mkdir()
    for name in ("a", "b"):
        Path(f"out/{name}.png").write_bytes(b"mine")
    assert restore("in", "-o", "out") == 2
    assert "out/a.png and 1 more is there already; --resume leaves it, --force" in capsys.readouterr().err
    assert not Path("out/c.png").exists()
    assert restore("in", "-o", "out", "--resume") == 0
    assert Path("out/a.png").read_bytes() == b"mine"
    assert Path("out/c.png").exists()
    assert "1 restored, 2 skipped" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        restore("in", "-o", "out", "--resume", "--force")
    assert "not allowed with argument --resume" in capsys.readouterr().err
    assert restore("in", "-o", "out", "--force") == 0
    np.testing.assert_array_equal(pixels(Path("out/a.png").read_bytes()), inverted(Path("in/a.png").read_bytes()))


def test_a_full_disk_ends_the_run_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c"):
        write(f"in/{name}.png")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert restore("in", "-o", "out") == 1
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert "3 not done (--resume goes on)" in said
    assert list(Path("out").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nothing_half_is_left_by_a_run_that_is_told_to_end(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write("in/a.png")
    monkeypatch.setattr("os.fsync", lambda _: signal.raise_signal(number))
    before = signal.signal(number, lambda *_: pytest.fail("the run does not heed the signal"))
    try:
        assert restore("in", "-o", "out") == cli.INTERRUPTED
        assert "1 not done (--resume goes on)" in capsys.readouterr().err
        assert list(Path("out").iterdir()) == []
        signal.signal(number, signal.SIG_IGN)  # as nohup does
        assert restore("in", "-o", "out") == 0
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_format_quality_and_metadata_are_as_asked() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    picture(90, 70).save("in/a.png", exif=exif)
    assert restore("in", "-o", "small", "--format", "jpeg", "--quality", "10", "--keep", "none") == 0
    assert restore("in", "-o", "large", "--format", "jpeg", "--quality", "100") == 0
    small, large = (Path(f"{name}/a.jpg") for name in ("small", "large"))
    assert small.stat().st_size < large.stat().st_size / 3
    with Image.open(small) as bare, Image.open(large) as whole:
        assert 0x010F not in bare.getexif()
        assert whole.getexif()[0x010F] == "a camera"


def test_a_format_may_be_called_as_files_are(capsys: pytest.CaptureFixture[str]) -> None:
    write("in/a.png")
    for name in ("JPG", "tif"):
        assert restore("in", "-o", "out", "--format", name) == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["a.jpg", "a.tif"]
    with pytest.raises(SystemExit, match="2"):
        restore("in", "-o", "out", "--format", "gif")
    assert "--format: takes jpeg, png, webp, tiff, avif, not gif" in capsys.readouterr().err


def test_a_server_restores_just_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = [write(f"in/{n}.png", seed=n) for n in range(3)]
    Path("in/9.png").write_text("Dear Sir or Madam")
    with Bench(tmp_path / "spool").client() as http:
        address = str(http.base_url)
        assert restore("in", "-o", "out", "--url", address, "--json") == 1
        report = json.loads(capsys.readouterr().out)
        assert restore("in/0.png", "-o", "one.png", "--url", address, "--tile", "64") == 2
        assert "--tile cannot be chosen for a server" in capsys.readouterr().err
        assert cli.main(["restore", "in", "-o", "no", "--task", "derian", "--url", address]) == 2
        assert "No task 'derian'" in capsys.readouterr().err
    assert [entry["model"] for entry in report["restored"]] == ["inverter"] * 3
    assert "text, not a picture" in report["failed"][0]["error"]
    for source in sources:
        result = Path("out", source.name).read_bytes()
        np.testing.assert_array_equal(pixels(result), inverted(source.read_bytes()))


def test_a_server_that_is_not_there_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write("in/a.png")
    assert restore("in/a.png", "-o", "a.png", "--url", "http://127.0.0.1:9", "--patience", "0") == 1
    said = capsys.readouterr().err
    assert "http://127.0.0.1:9 cannot be reached" in said
    assert said.count("\n") == 1
