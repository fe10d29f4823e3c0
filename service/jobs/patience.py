"""Patience: what is finished is not thrown away because Redis or the blob store is away for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from service.jobs.connection import UNREACHABLE

log = logging.getLogger(__name__)

T = TypeVar("T")

ASK_AGAIN_S: Final = 0.5
MOVE_AGAIN_S: Final = (0.2, 0.5, 1, 2, 4, 8)  # waits between attempts to read and write blobs


def until_reached(ask: Callable[[], T]) -> T:
    """Ask Redis until it answers, however long that takes."""
    while True:
        try:
            return ask()
        except UNREACHABLE as error:
            log.warning("Redis is away: %s", error)
            time.sleep(ASK_AGAIN_S)


def keep_trying(move: Callable[[], T]) -> T:
    """Move a blob, and again if the store fails for a while or is full. Raises FileNotFoundError at once."""
    for wait_s in MOVE_AGAIN_S:
        try:
            return move()
        except FileNotFoundError:
            raise
        except Exception as error:
            log.warning("the blob store failed: %s", error)
            time.sleep(wait_s)
    return move()
