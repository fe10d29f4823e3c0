from __future__ import annotations

import contextlib
from pathlib import Path

from unseam.files import appearing, write_whole


def test_a_file_has_as_long_a_name_as_its_folder_takes(tmp_path: Path) -> None:
    path = tmp_path / f"{'写' * 83}ab.png"  # 255 bytes
    assert write_whole(path, b"whole").read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


def test_what_ends_badly_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a.png", b"before")
    with contextlib.suppress(KeyboardInterrupt), appearing(path) as other:
        other.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
