from __future__ import annotations

import gzip
import io
import os
import tempfile
import threading
from pathlib import Path

import pytest

import unseam
from unseam.original import PIECE_BYTES, Original, Source

CONTENT = bytes(range(256)) * (PIECE_BYTES // 100)  # 2.56 pieces


def read(original: Original) -> bytes:
    return b"".join(original.pieces())


def check(source: Source, expected: bytes = CONTENT) -> None:
    original = Original(source)
    assert original.size_bytes == len(expected)
    assert read(original) == read(original) == expected


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_of_any_kind_are_read_as_often_as_asked(kind: type) -> None:
    check(kind(CONTENT))


def test_paths_are_read_as_often_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(CONTENT)
    check(path)
    check(str(path))


def test_open_files_are_read_from_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"before" + CONTENT)
    with path.open("rb") as file:
        file.seek(6)
        check(file)
    with path.open("rb", buffering=0) as file:
        check(file, b"before" + CONTENT)


def test_what_is_like_a_file_is_taken(tmp_path: Path) -> None:
    packed = tmp_path / "a.png.gz"
    packed.write_bytes(gzip.compress(CONTENT))
    with gzip.open(packed) as file:
        check(file)
    with tempfile.NamedTemporaryFile() as file:
        file.write(CONTENT)
        file.seek(0)
        check(file)


def test_a_pipe_that_can_be_read_once_is_sent_as_often_as_needed(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_bytes, args=(CONTENT,))
    writing.start()
    check(pipe)
    writing.join()


def test_what_is_no_picture_is_refused_in_words() -> None:
    with pytest.raises(TypeError, match="as an open file, not as list"):
        Original([1, 2])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"open\(path, 'rb'\)"):
        Original(io.StringIO("picture"))  # type: ignore[arg-type]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        Original(tmp_path / "a.png")


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shortened(path: Path) -> None:
    os.truncate(path, 3)


def rewritten(path: Path) -> None:
    path.write_bytes(CONTENT[::-1])


def replaced(path: Path) -> None:
    (path.parent / "other").write_bytes(CONTENT)
    (path.parent / "other").replace(path)


@pytest.mark.parametrize("change", [grown, shortened, rewritten, replaced, Path.unlink])
def test_a_file_that_is_another_when_it_is_sent_again_is_told_as_such(tmp_path: Path, change: object) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(CONTENT)
    os.utime(path, (0, 0))  # written long ago
    original = Original(path)
    assert read(original) == CONTENT
    change(path)  # type: ignore[operator]
    with pytest.raises(unseam.ChangedFile, match=r"a\.png has (changed|gone) since it was first read"):
        next(original.pieces())


@pytest.mark.parametrize("change", [grown, shortened, rewritten])
def test_a_file_that_changes_while_it_is_sent_is_not_sent_whole(tmp_path: Path, change: object) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(CONTENT)
    os.utime(path, (0, 0))
    pieces = Original(path).pieces()
    next(pieces)
    change(path)  # type: ignore[operator]
    with pytest.raises(unseam.ChangedFile, match="has changed"):
        list(pieces)


def test_a_file_that_changes_under_an_open_file_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(CONTENT)
    os.utime(path, (0, 0))
    with path.open("rb") as file:
        original = Original(file)
        rewritten(path)
        with pytest.raises(unseam.ChangedFile, match=r"a\.png has changed"):
            read(original)
