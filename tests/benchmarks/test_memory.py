from __future__ import annotations

import os
import subprocess
import sys
from mmap import mmap

import pytest

from benchmarks import memory
from benchmarks.served import BenchError

MIB = 2**20


def test_the_peak_stays_when_memory_is_given_back() -> None:
    before = memory.now()
    with mmap(-1, 64 * MIB) as taken:  # pages of its own: an allocator might have as many at hand
        taken.write(os.urandom(64 * MIB))
        assert memory.now() > before + 60 * MIB
    assert memory.peak() > before + 60 * MIB
    assert memory.now() < memory.peak()


def test_a_run_is_not_charged_for_what_this_process_holds() -> None:
    taken = b"x" * (128 * MIB)
    slept = memory.peak_of_run([sys.executable, "-c", "import time; time.sleep(0.3)"])
    assert MIB < slept < 64 * MIB < len(taken)


def test_a_run_is_charged_for_what_it_takes() -> None:
    program = f"import time; taken = b'x' * {64 * MIB}; time.sleep(0.3)"
    assert 64 * MIB < memory.peak_of_run([sys.executable, "-c", program]) < 128 * MIB


def test_a_tree_is_more_than_its_root() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert memory.peak_of_tree(os.getpid()) >= memory.peak() + memory.peak(child.pid)
        child.kill()


def test_a_failed_run_and_a_process_that_is_not_there_are_told() -> None:
    with pytest.raises(BenchError, match="ended with 3"):
        memory.peak_of_run([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(BenchError, match="process 0"):
        memory.peak(0)
