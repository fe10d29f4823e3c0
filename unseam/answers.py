"""What an answer says: a job, a list, an error; or that somebody else answered than unseam."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import httpx

from unseam.errors import FOREIGN, ProblemError, bare
from unseam.job import Job

ROUTE: Final = re.compile(r"/(restore|tasks|models|jobs/.*)$")  # what comes after the service's address


def accepted(answer: httpx.Response) -> httpx.Response:
    """The same answer. Raises ProblemError if it is no success; its body has to be read already."""
    if answer.has_redirect_location:
        raise _moved(answer)
    if not answer.is_success:
        raise ProblemError.of_answer(answer)
    return answer


def said(answer: httpx.Response) -> Any:
    """The JSON of an answer. Raises ProblemError where it is none."""
    try:
        return json.loads(answer.content)
    except ValueError as error:
        raise ProblemError.foreign(answer, "that is no JSON") from error


def job(answer: httpx.Response) -> Job:
    """The job that an answer shows. Raises ProblemError where it shows none."""
    return _job(said(answer), answer)


def listed(answer: httpx.Response) -> list[dict[str, Any]]:
    """The objects that an answer lists. Raises ProblemError where it lists none."""
    found = said(answer)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ProblemError.foreign(answer, "that is no list")
    return found


def streamed(answer: httpx.Response) -> httpx.Response:
    """The same answer, of which only the head has come. Raises ProblemError where it will bring no events."""
    if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        raise ProblemError.foreign(answer, "that is no stream of events")
    return answer


def event(data: bytes, answer: httpx.Response) -> Job:
    """The job that an event of a stream carries. Raises ProblemError where it carries none."""
    try:
        body = json.loads(data)
    except ValueError as error:
        raise ProblemError.foreign(answer, "that is no JSON") from error
    return _job(body, answer)


def another(job: Job, answer: httpx.Response, found_bytes: int) -> ProblemError:
    """The error that somebody between answers with something else than the job's picture."""
    return ProblemError(
        f"What {bare(answer.url)} gives is not the picture of this job: its sha256 is another, twice. "
        "Is there a proxy between?",
        kind="not-the-result",
        status=answer.status_code,
        facts={"expected": vars(job.result) if job.result else None, "found_bytes": found_bytes},
    )


def _job(body: Any, answer: httpx.Response) -> Job:
    try:
        return Job.of(body)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProblemError.foreign(answer, "that is no job") from error


def _moved(answer: httpx.Response) -> ProblemError:
    """A redirect is not followed: the API key would go along, to whoever is there."""
    place = answer.url.join(answer.headers["Location"])
    if ROUTE.search(place.path):
        place = place.copy_with(path=ROUTE.sub("", place.path) or "/", query=None)
    address = bare(place).rstrip("/")
    return ProblemError(
        f"{bare(answer.url)} answers from {address}: give that address, if it is the service's",
        kind=FOREIGN,
        status=answer.status_code,
        facts={"location": address},
    )
