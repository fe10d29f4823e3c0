"""Restore through a server."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from imaging.codec import Format
from service.batch.restorer import Progress, Restoration
from service.batch.selection import InvalidArgument
from service.errors import ServiceError
from unseam import Client, Job, ProblemError
from unseam.exchange import Options
from unseam.patience import passes

_PICTURES_FAULT: Final = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
_REQUESTS_FAULT: Final = {"invalid-parameter", "unauthorized"}  # every picture would get the same answer


class RefusedPicture(ServiceError, ValueError):  # noqa: N818 - named for what it is, as service.errors
    """The server does not take this picture, or failed at it."""


class RemoteRestorer:
    """Restores pictures on the server that a client speaks to."""

    def __init__(self, client: Client, task: str, options: Options) -> None:
        self._client, self._task, self._options = client, task, options

    def __call__(self, data: bytes, format: Format, on_progress: Progress) -> Restoration:
        """Restore a picture.

        Raises RefusedPicture where it is the picture's fault, InvalidArgument where every other would be refused, too,
        and else what the client raises: a server that is full, away or another is no picture's fault.
        """
        options = Options(**self._options | {"format": format})
        try:
            restored = self._client.restore(data, task=self._task, on_progress=_told(on_progress), **options)
        except ProblemError as problem:
            if problem.kind in _REQUESTS_FAULT:
                raise InvalidArgument(str(problem), **problem.facts) from problem
            if problem.status in _PICTURES_FAULT or (problem.job_id and not passes(problem)):
                raise RefusedPicture(str(problem), **problem.facts) from problem
            raise
        job = restored.job
        assert job.result is not None
        facts = {"task": job.task, "model": job.model, "tiles": job.tiles_total, "seconds": dict(job.stages_s)}
        return Restoration(restored.content, job.result.width, job.result.height, facts)

    def by_rows(self, source: Path, target: Path, format: Format, on_progress: Progress) -> None:
        """The server takes the picture as it is."""


def _told(on_progress: Progress) -> Callable[[Job], object]:
    def told(job: Job) -> None:
        on_progress(job.tiles_done, job.tiles_total)

    return told
