"""Memory that processes hold, as Linux counts it: their resident sets. It alone is asked; elsewhere BenchError.

`getrusage` will not do: what it calls a process's peak includes what the parent held when the process was started.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.served import BenchError

_LOOK_S: Final = 0.02


def peak(pid: int | str = "self") -> int:
    """Bytes of the largest resident set so far of a process."""
    return _field(pid, "VmHWM")


def now(pid: int | str = "self") -> int:
    """Bytes of a process's present resident set."""
    return _field(pid, "VmRSS")


def peak_of_tree(pid: int) -> int:
    """Bytes of the largest resident sets so far of a process and of those below it, added up."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError as error:
        raise BenchError(f"the system does not say which processes there are: {error}") from error
    return peak(pid) + sum(peak_of_tree(int(child)) for child in children)


def peak_of_run(command: Sequence[str]) -> int:
    """Bytes of the largest resident set of a command that is run to its end; BenchError if it fails.

    It is looked at every few milliseconds: a peak in the last of them is missed.
    """
    largest = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            try:
                largest = max(largest, peak(process.pid))
            except BenchError:
                if process.wait() or not largest:  # it ended between the two looks, or there is nothing to read
                    break
            time.sleep(_LOOK_S)
    if process.returncode:
        raise BenchError(f"the command ended with {process.returncode}: {' '.join(command)}")
    if not largest:
        raise BenchError("the system does not say how much memory the command took")
    return largest


def _field(pid: int | str, name: str) -> int:
    try:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return int(status[name].split()[0]) * 1024
    except (OSError, KeyError) as error:  # a process that has ended, but was not waited for, has no such field
        raise BenchError(f"the system does not say how much memory process {pid} takes") from error
