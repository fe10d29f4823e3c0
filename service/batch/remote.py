"""Restore through a server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from service.batch.restorer import Progress, RefusedPicture, Restoration, UnreadableFile
from service.batch.run import Run
from service.batch.selection import InvalidArgument, Item
from unseam import AsyncClient, Job, ProblemError
from unseam.exchange import Options
from unseam.patience import passes

_PICTURES_FAULT: Final = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
_REQUESTS_FAULT: Final = {"invalid-parameter", "unauthorized"}  # every picture would get the same answer


class RemoteRestorer:
    """Restores pictures on the server that a client speaks to; neither they nor the results are whole in memory."""

    def __init__(self, client: AsyncClient, task: str, options: Options) -> None:
        self._client, self._task, self._options = client, task, options

    async def __call__(self, item: Item, on_progress: Progress) -> Restoration:
        """Restore a picture from file to file.

        Raises RefusedPicture where it is the picture's fault, UnreadableFile, InvalidArgument where every other would
        be refused, too, and else what the client raises: a server that is full, away or another is no picture's fault.
        """
        options = Options(**self._options | {"format": item.format})
        told = _told(on_progress)
        try:
            restored = await self._client.restore(
                item.source, task=self._task, to=item.target, on_progress=told, **options
            )
        except ProblemError as problem:
            if problem.kind in _REQUESTS_FAULT:
                raise InvalidArgument(str(problem), **problem.facts) from problem
            if problem.status in _PICTURES_FAULT or (problem.job_id and not passes(problem)):
                raise RefusedPicture(str(problem), **problem.facts) from problem
            raise
        except OSError as error:
            if error.filename == str(item.source):
                raise UnreadableFile.of(item, error) from error
            raise
        job = restored.job
        assert job.result is not None
        facts = {"task": job.task, "model": job.model, "tiles": job.tiles_total, "seconds": dict(job.stages_s)}
        return Restoration(job.result.width, job.result.height, facts)


def restore_remotely(run: Run, client: AsyncClient, restore: RemoteRestorer, at_once: int) -> None:
    """Restore every picture of a run, several at once; signals that are as Ctrl-C leave no job behind, either."""

    async def all_of_them() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.default_int_handler:  # as asyncio does with SIGINT
                loop.add_signal_handler(number, task.cancel)
        async with client:
            await run.together(restore, at_once)

    try:
        asyncio.run(all_of_them())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _told(on_progress: Progress) -> Callable[[Job], object]:
    def told(job: Job) -> None:
        on_progress(job.tiles_done, job.tiles_total)

    return told
