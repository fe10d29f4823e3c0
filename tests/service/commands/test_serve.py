from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import httpx
import numpy as np
import onnx_inverter
import pytest
from numpy.typing import NDArray
from PIL import Image
from served import ROOT, serving
from service_bench import inverted, pixels, png

from imaging import quality
from imaging.codec import decode
from service import cli

DATA = Path(os.environ.get("UNSEAM_DATA", ROOT.parent / "shared" / "data"))
CURL = "curl --fail --silent --data-binary @rainy.png 'http://localhost:8000/restore?task=derain' -o clean.png"


def curl(server: str, folder: Path) -> None:
    """The README's line, but for the port."""
    subprocess.run(shlex.split(CURL.replace("localhost:8000", server)), cwd=folder, check=True, timeout=120)


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@needs_curl
def test_curl_restores_a_picture_and_sigterm_ends_the_server_cleanly(tmp_path: Path) -> None:
    artifacts = onnx_inverter.write(tmp_path / "artifacts")
    spool = tmp_path / "spool"
    (tmp_path / "rainy.png").write_bytes(png(200, 100))
    with serving(artifacts, UNSEAM_SPOOL=str(spool)) as (server, process):
        curl(server, tmp_path)
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
    clean, rainy = ((tmp_path / name).read_bytes() for name in ("clean.png", "rainy.png"))
    np.testing.assert_array_equal(pixels(clean), inverted(rainy))
    assert process.returncode in (0, -signal.SIGTERM)
    assert "Traceback" not in log
    assert list(spool.iterdir()) == []


def test_a_server_without_workers_does_not_compute_with_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNSEAM_ARTIFACTS", str(onnx_inverter.write(tmp_path / "artifacts")))
    monkeypatch.setenv("UNSEAM_BACKEND", "torch")
    assert cli.main(["serve", "--port", "0"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("unseam serve: UNSEAM_BACKEND=torch computes in workers alone: set UNSEAM_REDIS_URL")


def test_behind_a_proxy_that_takes_a_path_off_addresses_begin_with_it(tmp_path: Path) -> None:
    artifacts = onnx_inverter.write(tmp_path / "artifacts")
    with (
        serving(artifacts, UNSEAM_ROOT_PATH="/restoration") as (server, _),
        httpx.Client(base_url=f"http://{server}", timeout=60) as client,
    ):
        answer = client.post("restore?task=derain", content=png(), headers={"Prefer": "respond-async"})
        job = f"/restoration/jobs/{answer.json()['id']}"
        assert answer.headers["location"] == answer.json()["links"]["self"] == job
        assert client.get("openapi.json").json()["servers"] == [{"url": "/restoration"}]
        assert client.head("healthz").status_code == client.get("web/app.js").status_code == 200
        assert client.put(job.removeprefix("/restoration")).headers["allow"] == "GET, HEAD, DELETE"


def _has_derain() -> bool:
    return any(folder.is_dir() for folder in (ROOT / "artifacts").glob("*derain*"))


@needs_curl
@pytest.mark.skipif(not _has_derain(), reason="no derain network is exported: unseam export --missing")
@pytest.mark.skipif(not (DATA / "rain").is_dir(), reason="no public test pictures; UNSEAM_DATA says where they are")
def test_the_curl_line_of_the_readme_takes_the_rain_off(tmp_path: Path) -> None:
    rainy, clean, _ = (DATA / "rain" / "pairs.tsv").read_text().splitlines()[1].split("\t")
    _corner(DATA / "rain" / rainy).save(tmp_path / "rainy.png")
    _corner(DATA / "rain" / clean).save(tmp_path / "target.png")
    with serving(ROOT / "artifacts") as (server, _):
        curl(server, tmp_path)
    rainy_y, clean_y, target_y = (_luma(tmp_path / f"{name}.png") for name in ("rainy", "clean", "target"))
    assert quality.psnr(clean_y, target_y) > quality.psnr(rainy_y, target_y) + 4


def _corner(path: Path) -> Image.Image:
    """Enough of a photograph to judge by, and quick on any machine."""
    return Image.open(path).crop((0, 0, 256, 256))


def _luma(path: Path) -> NDArray[np.floating]:
    return quality.luma(decode(path.read_bytes()).pixels)
