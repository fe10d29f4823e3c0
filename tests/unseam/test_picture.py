from __future__ import annotations

import io
import tomllib
from pathlib import Path

import pytest

import unseam
from unseam.picture import content


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, io.BytesIO])
def test_bytes_of_any_kind_are_taken(kind: type) -> None:
    assert content(kind(b"picture")) == b"picture"


def test_paths_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    assert content(tmp_path / "a.png") == content(str(tmp_path / "a.png")) == b"picture"


def test_what_is_no_picture_is_refused_in_words() -> None:
    with pytest.raises(TypeError, match="as an open file, not as list"):
        content([1, 2])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"open\(path, 'rb'\)"):
        content(io.StringIO("picture"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a", "a.restored"])
def test_a_picture_is_saved_under_a_name_that_does_not_lie(tmp_path: Path, name: str) -> None:
    assert restored("image/jpeg").save(tmp_path / name).read_bytes() == b"picture"


@pytest.mark.parametrize("name", ["a.png", "a.TIF", "a.avif"])
def test_a_name_of_another_kind_is_refused_and_the_way_to_it_told(tmp_path: Path, name: str) -> None:
    kind = {"a.png": "png", "a.TIF": "tiff", "a.avif": "avif"}[name]
    with pytest.raises(unseam.MisnamedFile, match=rf"no name for a jpeg; restore\(\.\.\., format='{kind}'\)"):
        restored("image/jpeg").save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def restored(media_type: str) -> unseam.Restored:
    return unseam.Restored(b"picture", media_type, unseam.Job("1", "succeeded", "derain", "fake", 1, 1))


def test_whoever_uses_the_package_has_its_types() -> None:
    assert (Path(unseam.__file__).parent / "py.typed").is_file()
    packaged = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert packaged["package-data"]["unseam"] == ["py.typed"]
    assert {"Options", "Source", "InvalidKey"} < set(unseam.__all__)
