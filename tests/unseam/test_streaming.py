"""Pictures go from file to file: in pieces, whole or not at all, and again from the start."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fake_service import FakeService, problem, says
from service_bench import Bench, inverted, pixels, png

import unseam

Restore = Callable[..., unseam.Restored]
MIB = 2**20
PICTURE = bytes(range(256)) * (5 * MIB // 512)  # 2.5 MiB
KINDS = pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
# Restores from file to file, or from bytes to bytes, and says how much memory Python took at most.
PROGRAM = """
import asyncio, sys, tracemalloc
from pathlib import Path
import unseam

kind, url, how = sys.argv[1:]

async def together():
    async with unseam.AsyncClient(url) as client:
        await client.restore(**arguments)

tracemalloc.start()
if how == "files":
    arguments = {"source": "in.png", "to": "out.png", "task": "derain"}
else:
    arguments = {"source": Path("in.png").read_bytes(), "task": "derain"}
if kind == "Client":
    with unseam.Client(url) as client:
        client.restore(**arguments)
else:
    asyncio.run(together())
print(tracemalloc.get_traced_memory()[1])
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("unseam.patience.FIRST_PAUSE_S", 0.02)
    Path("in.png").write_bytes(PICTURE)


def from_file_to_file(kind: str, url: str, to: str) -> unseam.Restored:
    async def together() -> unseam.Restored:
        async with unseam.AsyncClient(url) as client:
            return await client.restore("in.png", task="derain", to=to)

    if kind == "AsyncClient":
        return asyncio.run(together())
    with unseam.Client(url) as client:
        return client.restore("in.png", task="derain", to=to)


def files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


def cut(handler: Any) -> None:
    """Takes some of the picture and breaks the connection."""
    handler.rfile.read(MIB)
    handler.connection.shutdown(2)
    handler.close_connection = True


def halved(handler: Any) -> None:
    """Sends half of the result and breaks the connection."""
    whole = handler.server.jobs[handler.job_id][::-1]
    handler.close_connection = True
    handler.answer(200, whole[: len(whole) // 2], {"Content-Type": "image/png", "Content-Length": str(len(whole))})


@KINDS
def test_memory_does_not_grow_with_the_picture(service: FakeService, kind: str) -> None:
    size = 48 * MIB
    with Path("in.png").open("wb") as file:
        for n in range(48):
            file.write(bytes([n]) * MIB)
    peak = {}
    for how in ("files", "bytes"):
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, kind, service.url, how],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        peak[how] = int(run.stdout)
    assert peak["files"] < size / 4
    assert peak["bytes"] > 2 * size  # or this measures nothing
    with Path("out.png").open("rb") as file:
        result = hashlib.file_digest(file, "sha256").hexdigest()
    assert result == hashlib.sha256(Path("in.png").read_bytes()[::-1]).hexdigest()


@KINDS
def test_the_service_restores_from_file_to_file(tmp_path: Path, kind: str) -> None:
    Path("in.png").write_bytes(png(300, 200))
    with Bench(tmp_path / "spool").client() as http:
        restored = from_file_to_file(kind, str(http.base_url), "out.tif")
    assert restored.media_type == "image/tiff"
    assert restored.held == Path("out.tif")
    np.testing.assert_array_equal(pixels(restored.content), inverted(Path("in.png").read_bytes()))


def test_a_result_goes_to_its_file_and_nothing_else_is_left(service: FakeService, restore: Restore) -> None:
    Path("out.png").write_bytes(b"before")
    restored = restore("in.png", to="out.png")
    assert restored.held == Path("out.png")
    assert Path("out.png").read_bytes() == PICTURE[::-1]
    assert files() == ["in.png", "out.png"]
    assert not service.present


def test_a_broken_upload_begins_at_the_files_start(service: FakeService, restore: Restore) -> None:
    picture = 8 * PICTURE  # more than sockets hold, else all of it goes out before the connection breaks
    Path("in.png").write_bytes(picture)
    service.script("POST restore", cut, cut)
    told: list[str] = []
    client = {"on_wait": lambda error, _: told.append(str(error))}
    assert restore("in.png", client, to="out.png").content == picture[::-1]
    assert list(service.jobs.values()) == [picture]
    assert told == [f"{service.url} cannot be reached: the connection broke while the picture was sent"] * 2


def test_a_broken_upload_of_an_open_file_begins_where_the_file_was(service: FakeService, restore: Restore) -> None:
    service.script("POST restore", cut)
    with Path("in.png").open("rb") as file:
        file.seek(7)
        assert restore(file).content == PICTURE[7:][::-1]


def test_a_file_that_changes_between_two_attempts_is_not_sent(service: FakeService, restore: Restore) -> None:
    service.script("POST restore", cut)
    client = {"on_wait": lambda *_: Path("in.png").write_bytes(b"another")}
    with pytest.raises(unseam.ChangedFile, match=r"in\.png has changed"):
        restore("in.png", client, to="out.png")
    assert not service.jobs
    assert files() == ["in.png"]


def test_a_file_that_vanishes_between_two_attempts_is_told_as_such(service: FakeService, restore: Restore) -> None:
    service.script("POST restore", cut)
    with pytest.raises(unseam.ChangedFile, match=r"in\.png has gone"):
        restore("in.png", {"on_wait": lambda *_: Path("in.png").unlink()})


def test_a_broken_download_begins_again(service: FakeService, restore: Restore) -> None:
    service.script("GET result", halved, says(502, "Bad Gateway"), halved)
    restore("in.png", to="out.png")
    assert Path("out.png").read_bytes() == PICTURE[::-1]


def test_a_page_in_place_of_the_result_is_no_file(service: FakeService, restore: Restore) -> None:
    page, long_page = (says(200, "<h1>Sign in</h1>" * times) for times in (100, 200_000))
    service.script("GET result", long_page)
    restore("in.png", to="out.png")
    assert Path("out.png").read_bytes() == PICTURE[::-1]
    service.script("GET result", page, page)
    with pytest.raises(unseam.ProblemError, match="not the picture of this job") as caught:
        restore("in.png", to="out.png")
    assert caught.value.facts["found_bytes"] == 1600
    assert Path("out.png").read_bytes() == PICTURE[::-1]
    assert files() == ["in.png", "out.png"]


def test_whoever_is_interrupted_while_the_result_comes_leaves_nothing_half(
    service: FakeService, restore: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def interrupted(_: object, piece: bytes) -> None:
        taken.append(len(piece))
        if len(taken) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("unseam.arrival.Arrival.take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        restore("in.png", to="out.png")
    assert files() == ["in.png"]
    assert not service.present


def test_a_full_disk_leaves_nothing_half(
    service: FakeService, restore: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        restore("in.png", to="out.png")
    assert files() == ["in.png"]


@pytest.mark.parametrize(("to", "error"), [("nowhere/out.png", FileNotFoundError), (".", IsADirectoryError)])
def test_where_no_file_can_be_is_told_before_anything_is_sent(
    service: FakeService, restore: Restore, to: str, error: type[OSError]
) -> None:
    with pytest.raises(error):
        restore("in.png", to=to)
    assert not service.asked


@pytest.mark.parametrize("format", ["jpeg", "JPG", "tif"])
def test_a_name_of_another_kind_than_asked_for_is_told_before_anything_is_sent(
    service: FakeService, restore: Restore, format: str
) -> None:
    with pytest.raises(unseam.MisnamedFile, match=r"out\.png is no name for a"):
        restore("in.png", to="out.png", format=format)
    assert not service.asked


@pytest.mark.parametrize(("to", "asked"), [("out.webp", "format=webp"), ("out.TIF", "format=tiff"), ("out", "")])
def test_the_files_name_says_which_kind_it_becomes(service: FakeService, restore: Restore, to: str, asked: str) -> None:
    paths: list[str] = []

    def noted(handler: Any) -> None:
        paths.append(handler.path)
        handler.body()
        handler.answer(422, b"enough")

    service.script("POST restore", noted)
    with pytest.raises(unseam.ProblemError):
        restore("in.png", to=to)
    assert paths == ["/restore?task=derain" + (f"&{asked}" if asked else "")]


def test_a_result_of_another_kind_than_its_name_says_is_not_written(service: FakeService) -> None:
    with unseam.Client(service.url) as client:
        job = client.submit("in.png", task="derain")
        with pytest.raises(unseam.MisnamedFile, match=r"out\.jpg is no name for a png"):
            client.result(job, to="out.jpg")
        assert client.result(job, to="out.png").content == PICTURE[::-1]
    assert files() == ["in.png", "out.png"]


@KINDS
@pytest.mark.parametrize(
    ("settings", "kind_of_problem"),
    [({"max_body_bytes": 1000}, "body-too-large"), ({"api_keys": (64 * "0",)}, "unauthorized")],
)
def test_the_service_refuses_a_large_picture_in_words_before_it_has_all_of_it(
    tmp_path: Path, kind: str, settings: dict[str, Any], kind_of_problem: str
) -> None:
    Path("in.png").write_bytes(PICTURE * 8)
    with Bench(tmp_path / "spool").client(**settings) as http, pytest.raises(unseam.ProblemError) as caught:
        from_file_to_file(kind, str(http.base_url), "out.png")
    assert caught.value.kind == kind_of_problem


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (problem(401, "unauthorized"), "It is unauthorized"),
        (problem(413, "body-too-large"), "It is body-too-large"),
        (problem(507, "storage-full"), "It is storage-full"),
        (says(308, "", Location="https://safe.test/restore"), "give that address"),
    ],
)
def test_an_answer_that_comes_before_the_picture_is_whole_is_read(
    service: FakeService, restore: Restore, script: Callable[[Any], object], words: str
) -> None:
    def early(handler: Any) -> None:
        handler.body = lambda: b""
        script(handler)
        del handler.body
        handler.body()  # as servers do, that the answer is not lost

    service.script("POST restore", early)
    with pytest.raises(unseam.ProblemError, match=words):
        restore("in.png", to="out.png")
    assert service.asked == ["POST restore"]


def test_an_answer_is_read_though_the_server_takes_no_more_of_the_picture(service: FakeService) -> None:
    def abrupt(handler: Any) -> None:
        handler.body = lambda: b""
        problem(413, "body-too-large")(handler)
        handler.close_connection = True

    Path("in.png").write_bytes(PICTURE * 8)
    service.script("POST restore", abrupt)
    with unseam.Client(service.url) as client, pytest.raises(unseam.ProblemError, match="body-too-large"):
        client.restore("in.png", task="derain")


def test_a_transport_of_ones_own_takes_a_file(service: FakeService) -> None:
    transport = httpx.HTTPTransport()
    with unseam.Client(service.url, transport=transport) as client:
        assert client.restore(Path("in.png"), task="derain").content == PICTURE[::-1]
