from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import unseam

JOB = unseam.Job("1", "succeeded", "derain", "fake", 1, 1)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a", "a.restored"])
def test_a_picture_is_saved_under_a_name_that_does_not_lie(tmp_path: Path, name: str) -> None:
    assert restored("image/jpeg").save(tmp_path / name).read_bytes() == b"picture"


@pytest.mark.parametrize("name", ["a.png", "a.TIF", "a.avif"])
def test_a_name_of_another_kind_is_refused_and_the_way_to_it_told(tmp_path: Path, name: str) -> None:
    kind = {"a.png": "png", "a.TIF": "tiff", "a.avif": "avif"}[name]
    with pytest.raises(unseam.MisnamedFile, match=rf"no name for a jpeg; restore\(\.\.\., format='{kind}'\)"):
        restored("image/jpeg").save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_picture_in_a_file_is_read_or_copied_from_there(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"picture")
    in_file = unseam.Restored(tmp_path / "a.jpg", "image/jpeg", JOB)
    assert in_file.content == b"picture"
    assert in_file.save(tmp_path / "b.jpg").read_bytes() == b"picture"
    assert in_file.save(tmp_path / "a.jpg").read_bytes() == b"picture"
    with pytest.raises(unseam.MisnamedFile):
        in_file.save(tmp_path / "b.png")


def test_a_picture_is_shown_without_its_bytes() -> None:
    assert "picture" not in repr(restored("image/jpeg"))


def restored(media_type: str) -> unseam.Restored:
    return unseam.Restored(b"picture", media_type, JOB)


def test_whoever_uses_the_package_has_its_types() -> None:
    assert (Path(unseam.__file__).parent / "py.typed").is_file()
    packaged = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert packaged["package-data"]["unseam"] == ["py.typed"]
    assert {"Options", "Source", "InvalidKey", "ChangedFile"} < set(unseam.__all__)
