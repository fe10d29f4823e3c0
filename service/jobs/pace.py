"""How fast each network runs here, measured."""

from __future__ import annotations

import threading
from typing import Final

# A batch's share in the running mean: the last ten or so decide, so a change of load shows within seconds.
_SHARE: Final = 0.1


class Pace:
    """Seconds for each tile unit, by network; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds_per_unit: dict[str, float] = {}

    def observe(self, model: str, units: float, seconds: float) -> None:
        """A batch of `units` took `seconds`."""
        with self._lock:
            before = self._seconds_per_unit.get(model, seconds / units)
            self._seconds_per_unit[model] = before + _SHARE * (seconds / units - before)

    def seconds(self, model: str, units: float) -> float:
        """What `units` will take; a network that has not run yet is taken for the slowest that has, else 1 s each."""
        with self._lock:
            known = self._seconds_per_unit
            return units * known.get(model, max(known.values(), default=1.0))

    def rates(self) -> dict[str, float]:
        """What has been measured."""
        with self._lock:
            return dict(self._seconds_per_unit)
