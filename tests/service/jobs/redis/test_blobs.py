from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from redis_bench import RedisBench
from service_bench import inverted, pixels, png

from benchmarks.ports import free_port
from service.jobs import blobs
from service.jobs.blobs import Blobs


@pytest.fixture(scope="module")
def s3(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[str]:
    """A real S3 server on the loopback, and its bucket's address."""
    server = pytest.importorskip("moto.server", reason="moto is not installed").ThreadedMotoServer(
        "127.0.0.1", free_port(), verbose=False
    )
    server.start()
    address = f"http://127.0.0.1:{server._server.server_port}"
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch_module.setenv(name, value)
    import httpx

    httpx.put(f"{address}/pictures", timeout=60).raise_for_status()  # the first request loads moto's S3
    yield "s3://pictures/unseam"
    server.stop()


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return blobs.connect(str(tmp_path / "blobs") if request.param == "folder" else request.getfixturevalue("s3"))


def test_what_is_put_is_got_listed_and_deleted(store: Blobs, tmp_path: Path) -> None:
    store.put("results/a.1", b"first")
    store.put("results/a.1", b"second")
    (tmp_path / "upload").write_bytes(b"picture")
    store.put_file("uploads/a", tmp_path / "upload")
    store.put("tiles/a/7", b"tile")
    assert store.get("results/a.1") == b"second"
    assert sorted(store.names()) == ["results/a.1", "tiles/a/7", "uploads/a"]
    assert list(store.names("tiles/a/")) == ["tiles/a/7"]
    store.fetch("uploads/a", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == b"picture"
    for name in ("results/a.1", "tiles/a/7", "uploads/a", "uploads/a"):
        store.delete(name)
    assert list(store.names()) == []


def test_what_is_not_there_is_file_not_found(store: Blobs, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.get("results/none")
    with pytest.raises(FileNotFoundError):
        store.fetch("results/none", tmp_path / "fetched")


def test_a_full_disk_leaves_no_half_of_a_blob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = blobs.FolderBlobs(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.put("results/a.1", b"half")
    assert list(store.names()) == []


def test_the_service_keeps_its_pictures_in_s3(bench: RedisBench, s3: str) -> None:
    content = png(200, 150)
    with bench.client(blobs=s3) as client, bench.worker(blobs=s3):
        answer = client.post("/restore?task=derain", content=content)
        assert answer.status_code == 200, answer.text
        np.testing.assert_array_equal(pixels(answer.content), inverted(content))
        assert client.post("/restore?task=derain", content=b"text").status_code == 415
    assert list(blobs.connect(s3).names()) == []
    assert not bench.blobs.exists()
