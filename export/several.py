"""Several shipped networks at once: a process each, as many as cores and memory bear."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Final

from export import artifact, cores
from export.artifact import Request
from export.manifest import Manifest

MOST: Final = 4
_BYTES_EACH: Final = 4 << 30  # torch, two runtimes, and the largest tile of the most costly network
Outcome = Manifest | ValueError | None

# Of this process, where it is one of several. A pipe takes short messages whole, without a queue's lock, which nobody
# gives back if its holder is killed.
_news: Connection


class LostProcessError(RuntimeError):
    """One of the processes was killed, as Linux does where memory runs out; the pool ends with it."""


def bearable(networks: int) -> int:
    """How many to export at once on this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(networks, cores.usable(), MOST, memory // _BYTES_EACH))


def export(
    names: Sequence[str], request: Request, jobs: int, on_step: Callable[[str], object]
) -> Iterator[tuple[str, Outcome]]:
    """Make the artifacts; yield each name as it ends, with its manifest, None (not missing) or what went wrong.

    The networks begin in the order given. If this process is killed, so are the others.

    Raises LostProcessError if one of the others is killed; it names the networks that have not ended.
    """
    context = multiprocessing.get_context("spawn")
    heard, news = context.Pipe(duplex=False)
    reader = threading.Thread(target=_pass_on, args=(heard, on_step), daemon=True)
    reader.start()
    pool = ProcessPoolExecutor(jobs, context, _begin, (news, max(1, cores.usable() // jobs)))
    unfinished = list(names)
    try:
        running = {pool.submit(_one, name, request): name for name in names}
        for future in as_completed(running):
            outcome = future.result()
            unfinished.remove(running[future])
            yield running[future], outcome
    except BrokenProcessPool as error:
        raise LostProcessError(
            f"a process was killed, perhaps for want of memory; not exported: {', '.join(unfinished)}; --jobs 1 exports"
            " one network at a time"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
        news.send(None)
        reader.join()


def _pass_on(heard: Connection, on_step: Callable[[str], object]) -> None:
    while (step := heard.recv()) is not None:
        on_step(step)


def _begin(news: Connection, threads: int) -> None:
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
            lambda step: _news.send(f"{name}: {step}"),
            lambda: _news.send(f"{name}: another export of it is running; waiting"),
        )
    except ValueError as error:
        return ValueError(str(error))  # of a class that travels between processes
