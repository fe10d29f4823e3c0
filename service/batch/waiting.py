"""What is said while a server is waited for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 60.0


class Waiting:
    """Tells why nothing goes on, and when it is tried again: at most once a minute, for a run may wait for hours.

    Args:
        say: takes a line.
    """

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say, self._silent_until = say, -math.inf

    def __call__(self, error: Exception, pause_s: float) -> None:
        """As `unseam.Client` tells of its pauses."""
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + EVERY_S
            self._say(f"{error} (trying again in {math.ceil(pause_s)} s)")
