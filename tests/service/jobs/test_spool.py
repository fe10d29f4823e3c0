from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from service.jobs.spool import Spool

KILLED = """
import os, pathlib, signal, sys
from service.jobs.spool import Spool
spool = Spool(pathlib.Path(sys.argv[1]))
spool.result("a").write_bytes(b"left behind")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_folder_of_a_killed_process_is_removed_by_the_next_one(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, tmp_path], timeout=20, check=False)
    (left,) = tmp_path.iterdir()
    spool = Spool(tmp_path)
    assert [path for path in tmp_path.iterdir()] == [spool.folder] != [left]
    spool.remove()


def test_the_folder_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    first, second = Spool(tmp_path), Spool(tmp_path)
    assert first.folder.is_dir()
    first.remove()
    second.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_lent_result_outlives_the_result(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.result("a").write_bytes(b"picture")
    lent = spool.lend("a")
    spool.result("a").unlink()
    assert lent.read_bytes() == b"picture"
    with pytest.raises(FileNotFoundError):
        spool.lend("a")
    spool.remove()
