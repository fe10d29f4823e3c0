from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

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


def test_a_new_file_has_the_rights_that_the_umask_leaves(tmp_path: Path) -> None:
    script = f"import os; os.umask(0o027); from pathlib import Path; from unseam.files import write_whole; \
write_whole(Path({str(tmp_path / 'a.png')!r}), b'')"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    assert mode(tmp_path / "a.png") == 0o640


def test_threads_that_save_leave_the_umask_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.umask", lambda _: pytest.fail("it is every thread's"))
    with ThreadPoolExecutor(8) as pool:
        files = list(pool.map(lambda n: write_whole(tmp_path / f"{n % 20}.png", b"x" * n), range(200)))
    assert len({mode(file) for file in files}) == 1
    assert len(list(tmp_path.iterdir())) == 20


def test_a_file_that_is_replaced_keeps_its_rights(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a.png", b"before")
    path.chmod(0o600)
    write_whole(path, b"after")
    assert (mode(path), path.read_bytes()) == (0o600, b"after")


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link, file = tmp_path / "link.png", tmp_path / "elsewhere" / "a.png"
    link.symlink_to(file)
    assert write_whole(link, b"whole") == link
    assert link.is_symlink()
    assert file.read_bytes() == b"whole"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
