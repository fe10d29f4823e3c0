"""What clients are told while Redis or the blob store does not do its part."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import NotReady, StorageFull
from service.jobs.connection import UNREACHABLE

log = logging.getLogger(__name__)


@contextmanager
def reached() -> Iterator[None]:
    """Raise NotReady where Redis is away, starting, full, or cannot write."""
    try:
        yield
    except UNREACHABLE as error:
        log.warning("Redis does not take commands: %s", error)
        raise NotReady(
            "The job queue cannot be reached; accepted jobs are kept. Try again in a moment.", retry_after_s=5
        ) from error


@contextmanager
def stored() -> Iterator[None]:
    """Raise StorageFull or NotReady where the blob store does not do its part; FileNotFoundError passes."""
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("The server's disk is full; send the picture again later.", retry_after_s=30) from error
        log.warning("the blob store does not take or give: %s", error)
        raise NotReady("The store for pictures cannot be reached; try again in a moment.", retry_after_s=5) from error
