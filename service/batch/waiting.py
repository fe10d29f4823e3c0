"""What is said while a server is waited for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 60.0


class Waiting:
    """Tells why nothing goes on, and when it is tried again: at most once a minute, for a run may wait for hours.

    The first line says how long that may go on, and how to have it otherwise: the address may be mistyped.

    Args:
        say: takes a line.
        patience_s: seconds for which the server is waited for.
    """

    def __init__(self, say: Callable[[str], object], patience_s: float) -> None:
        self._say, self._patience_s, self._silent_until = say, patience_s, -math.inf

    def __call__(self, error: Exception, pause_s: float) -> None:
        """As `unseam.Client` tells of its pauses."""
        now = time.monotonic()
        if now < self._silent_until:
            return
        if self._silent_until == -math.inf:
            most = _spoken(self._patience_s)
            self._say(f"{error} (trying again for up to {most}; Ctrl-C ends that, --patience 0 does not wait)")
        else:
            self._say(f"{error} (trying again in {math.ceil(pause_s)} s)")
        self._silent_until = now + EVERY_S


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"
