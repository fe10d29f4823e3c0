"""Several shipped networks at once: a process each, as many as cores and memory bear."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue
from typing import Final

from export import artifact, cores
from export.artifact import Request
from export.manifest import Manifest

MOST: Final = 4
_BYTES_EACH: Final = 4 << 30  # torch, two runtimes, and the largest tile of the most costly network
Outcome = Manifest | ValueError | None

_news: SimpleQueue[str | None]  # of this process, where it is one of several


def bearable(networks: int) -> int:
    """How many to export at once on this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(networks, cores.usable(), MOST, memory // _BYTES_EACH))


def export(
    names: Sequence[str], request: Request, jobs: int, on_step: Callable[[str], object]
) -> Iterator[tuple[str, Outcome]]:
    """Make the artifacts; yield each name as it ends, with its manifest, None (not missing) or what went wrong.

    The networks begin in the order given. If this process is killed, so are the others.
    """
    context = multiprocessing.get_context("spawn")
    news: SimpleQueue[str | None] = context.SimpleQueue()
    reader = threading.Thread(target=_pass_on, args=(news, on_step), daemon=True)
    reader.start()
    pool = ProcessPoolExecutor(jobs, context, _begin, (news, max(1, cores.usable() // jobs)))
    try:
        running = {pool.submit(_one, name, request): name for name in names}
        for future in as_completed(running):
            yield running[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)
        news.put(None)
        reader.join()


def _pass_on(news: SimpleQueue[str | None], on_step: Callable[[str], object]) -> None:
    while (step := news.get()) is not None:
        on_step(step)


def _begin(news: SimpleQueue[str | None], threads: int) -> None:
    """Set up a process of the pool."""
    global _news
    _news = news
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    import torch

    torch.set_num_threads(threads)


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _one(name: str, request: Request) -> Outcome:
    try:
        return artifact.of_card(
            name,
            request,
            lambda step: _news.put(f"{name}: {step}"),
            lambda: _news.put(f"{name}: another export of it is running; waiting"),
        )
    except ValueError as error:
        return ValueError(str(error))  # of a class that travels between processes
