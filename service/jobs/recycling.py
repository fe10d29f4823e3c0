"""Recycling: a worker ends, to be started afresh, after so many jobs or so much growth of its memory."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from service.settings import Settings

log = logging.getLogger(__name__)


class Recycling:
    """Says when one process is due; the bounds are `UNSEAM_RECYCLE_JOBS` and `UNSEAM_RECYCLE_BYTES`."""

    def __init__(self, settings: Settings) -> None:
        self._most_jobs, self._most_growth = settings.recycle_jobs, settings.recycle_bytes
        self._at_start = 0

    def start(self) -> None:
        """From now on memory is growth: the networks are loaded."""
        self._at_start = resident_bytes()

    def due(self, jobs_ended: int) -> bool:
        """Whether the worker should end once its work in hand is done."""
        if self._most_jobs and jobs_ended >= self._most_jobs:
            log.info("recycling after %d jobs", jobs_ended)
            return True
        growth = resident_bytes() - self._at_start if self._most_growth else 0
        if self._most_growth and growth > self._most_growth:
            log.info("recycling: memory grew by %d bytes", growth)
            return True
        return False


def resident_bytes() -> int:
    """What the process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
