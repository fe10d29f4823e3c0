from __future__ import annotations

from pathlib import Path

import pytest

from imaging.codec import Format
from service.batch.selection import InvalidArgument, Item, select


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "scans/b.TIF", "scans/deep/c.png", "scans/notes.txt", "scans/.hidden.png", "scans/d.bmp"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(name.encode())


def pairs(*inputs: str, output: str = "out", format: Format | None = None) -> dict[str, str]:
    return {str(item.source): str(item.target) for item in select(inputs, output, format).items}


def test_one_picture_goes_to_one_file() -> None:
    selection = select(["a.jpg"], "clean.webp")
    assert selection.items == (Item(Path("a.jpg"), Path("clean.webp")),)
    assert not selection.in_folder
    assert selection.items[0].format is Format.WEBP


def test_one_picture_goes_into_a_folder_that_is_there_or_ends_like_one() -> None:
    Path("there").mkdir()
    assert pairs("a.jpg", output="there") == {"a.jpg": "there/a.jpg"}
    assert pairs("a.jpg", output="new/") == {"a.jpg": "new/a.jpg"}


def test_pictures_of_a_folder_keep_their_places_and_other_files_are_counted() -> None:
    selection = select(["scans"], "out")
    assert {str(item.target) for item in selection.items} == {"out/b.TIF", "out/deep/c.png"}
    assert selection.ignored == 2


def test_a_linked_folder_is_not_entered_but_counted() -> None:
    Path("scans/link").symlink_to("deep")
    Path("scans/deep/circle.png").symlink_to(Path("scans").resolve())
    selection = select(["scans"], "out")
    assert {str(item.target) for item in selection.items} == {"out/b.TIF", "out/deep/c.png"}
    assert selection.ignored == 4
    assert pairs("scans", "scans/link")["scans/link/c.png"] == "out/c.png"  # where it is asked for


def test_a_picture_that_is_given_twice_is_restored_once() -> None:
    items = select(["scans", "./scans/b.TIF", "scans/*.TIF"], "out").items
    assert [str(item.source) for item in items] == ["scans/b.TIF", "scans/deep/c.png"]


def test_a_pattern_keeps_the_places_below_its_fixed_part() -> None:
    assert pairs("scans/**/*.png") == {"scans/deep/c.png": "out/deep/c.png"}
    assert pairs("*.jpg", "scans/[a-c].*") == {"a.jpg": "out/a.jpg", "scans/b.TIF": "out/b.TIF"}


def test_results_of_an_earlier_run_are_no_input() -> None:
    Path("scans/out").mkdir()
    Path("scans/out/b.TIF").touch()
    assert pairs("scans", output="scans/out").keys() == {"scans/b.TIF", "scans/deep/c.png"}


@pytest.mark.parametrize("inputs", [("scans",), ("scans/**/*.TIF", "scans/**/*.png")])
def test_results_go_into_a_folder_above_or_beside_the_pictures_too(inputs: tuple[str, ...]) -> None:
    assert pairs(*inputs, output=".") == {"scans/b.TIF": "b.TIF", "scans/deep/c.png": "deep/c.png"}
    beside = {"scans/b.TIF": "scans/b.webp", "scans/deep/c.png": "scans/deep/c.webp"}
    assert pairs(*inputs, output="scans", format=Format.WEBP) == beside


def test_a_format_changes_the_suffix_only_where_it_is_another() -> None:
    Path("e.jpeg").touch()
    assert pairs("e.jpeg", "scans/b.TIF", format=Format.JPEG) == {"e.jpeg": "out/e.jpeg", "scans/b.TIF": "out/b.jpg"}
    assert pairs("scans/d.bmp", "a.jpg", format=Format.PNG)["scans/d.bmp"] == "out/d.png"


@pytest.mark.parametrize(
    ("inputs", "output", "format", "words"),
    [
        (["none.jpg", "a.jpg"], "out", None, "none.jpg cannot be read"),
        (["*.webp"], "out", None, "nothing matches"),
        (["a.jpg", "scans"], "out.png", None, "named like a picture"),
        (["a.jpg"], "clean.png", Format.JPEG, "named as PNG, and --format says jpeg"),
        (["a.jpg", "scans/d.bmp"], "out", None, "--format takes jpeg, png"),
        (["a.jpg"], "./a.jpg", None, "replaced by its own result"),
        (["a.jpg"], ".", None, "replaced by its own result"),
        (["scans"], "scans", None, "scans/b.TIF would be replaced by its own result"),
        (["scans", "scans/deep/c.png"], "scans/deep", None, "c.png would be replaced by its own result"),
        (["a.jpg", "scans/b.TIF", "scans/deep/../b.TIF"], "out", None, "both be written to out/b.TIF"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(
    inputs: list[str], output: str, format: Format | None, words: str
) -> None:
    with pytest.raises(InvalidArgument, match="(?s).*".join(map(_escaped, [words]))):
        select(inputs, output, format)
    assert not Path("out").exists()


def test_a_result_does_not_replace_another_picture() -> None:
    Path("scans/scans").mkdir()
    Path("scans/scans/b.TIF").touch()
    with pytest.raises(InvalidArgument, match=r"scans/b\.TIF would be replaced by the result of scans/scans/b\.TIF"):
        select(["scans"], ".")


def _escaped(words: str) -> str:
    return words.replace(".", r"\.")
