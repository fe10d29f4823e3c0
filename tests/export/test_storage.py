from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from export import storage


def visible(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if not path.name.startswith("."))


def write(root: Path, name: str, content: str) -> None:
    with storage.locked(root, name), storage.replacing(root, name) as folder:
        (folder / "file").write_text(content)


def test_an_artifact_appears_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    write(tmp_path, "a", "one")
    assert (tmp_path / "a" / "file").read_text() == "one"
    assert list(tmp_path.glob(".a.tmp-*")) == []


def test_a_new_artifact_replaces_the_old_one_wholly(tmp_path: Path) -> None:
    write(tmp_path, "a", "one")
    (tmp_path / "a" / "stale").write_text("")
    write(tmp_path, "a", "two")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]
    assert (tmp_path / "a" / "file").read_text() == "two"


def test_a_failed_export_leaves_the_old_artifact_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, "a", "one")
    with pytest.raises(TypeError):
        write(tmp_path, "a", None)  # type: ignore[arg-type] - fails in the middle
    assert (tmp_path / "a" / "file").read_text() == "one"
    assert list(tmp_path.glob(".a.tmp-*")) == []


def test_a_killed_export_leaves_no_artifact_and_its_remains_are_cleared_by_the_next(tmp_path: Path) -> None:
    code = f"""
import time, pathlib
from export import storage
root = pathlib.Path({str(tmp_path)!r})
with storage.locked(root, "a"), storage.replacing(root, "a") as folder:
    (folder / "file").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGKILL)
    assert visible(tmp_path) == []
    assert len(list(tmp_path.glob(".a.tmp-*"))) == 1
    write(tmp_path, "a", "one")
    assert visible(tmp_path) == ["a"]
    assert list(tmp_path.glob(".a.tmp-*")) == []


def test_of_two_exports_of_one_name_the_second_waits_and_says_so(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with storage.locked(tmp_path, "a", on_wait=waiting.set):
            order.append("second")

    with storage.locked(tmp_path, "a"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(5)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_two_names_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with storage.locked(tmp_path, "a"), storage.locked(tmp_path, "b", on_wait=lambda: pytest.fail("waited")):
        pass


def test_the_folder_is_the_environments_or_artifacts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSEAM_ARTIFACTS", "/somewhere")
    assert storage.default_root() == Path("/somewhere")
    monkeypatch.delenv("UNSEAM_ARTIFACTS")
    assert storage.default_root() == Path("artifacts")


@pytest.mark.parametrize(("folders", "first"), [("shipped:mine", "shipped"), (":mine", "mine"), ("", "artifacts")])
def test_of_several_folders_the_first_is_written_to(monkeypatch: pytest.MonkeyPatch, folders: str, first: str) -> None:
    monkeypatch.setenv("UNSEAM_ARTIFACTS", folders.replace(":", os.pathsep))
    assert storage.default_root() == Path(first)


def test_the_old_artifact_comes_back_where_an_export_was_killed_between_old_and_new(tmp_path: Path) -> None:
    write(tmp_path, "a", "one")
    (tmp_path / ".a.tmp-killed" / "new").mkdir(parents=True)
    (tmp_path / "a").rename(tmp_path / ".a.tmp-killed" / "old")
    with pytest.raises(ValueError, match="wrong"), storage.replacing(tmp_path, "a"):
        raise ValueError("wrong")
    assert (tmp_path / "a" / "file").read_text() == "one"
    assert list(tmp_path.glob(".a.tmp-*")) == []


def test_a_file_in_the_folders_place_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file is a file, and artifacts are folders"):
        write(tmp_path / "file", "a", "one")
