"""How many processor cores this process may use: the machine's, or what affinity or a container's quota leaves of them.

A runtime that starts a thread for each core of the machine, in a container with two of them, is slower than with two
threads by a multiple: its threads wait for one another's turns.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

_CGROUP: Final = Path("/sys/fs/cgroup")


def usable() -> int:
    """At least 1."""
    return confined() or os.cpu_count() or 1


def confined(cgroup: Path = _CGROUP) -> int | None:
    """The cores that this process is confined to, at least 1; None if it may use all of the machine's."""
    cores = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    quota = _quota(cgroup)
    if quota is not None:
        allowed = min(allowed, max(1, math.ceil(quota)))
    return allowed if allowed < cores else None


def _quota(cgroup: Path) -> float | None:
    """Cores' worth of time that the control group has (cgroup v2, then v1); None without a limit."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        except OSError:
            return None
    if quota == "max" or int(quota) <= 0:
        return None
    return int(quota) / int(period)
