"""Every error as application/problem+json (RFC 9457): the one place where errors meet HTTP."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from imaging import errors as pictures
from service import errors
from service.errors import EncodedBody, Failure, RetryLater, ServiceError, Unauthorized, kind

MEDIA_TYPE: Final = "application/problem+json"

_ERRORS: Final[dict[type[Exception], int]] = {
    errors.InvalidRequest: 400,
    errors.Unauthorized: 401,
    errors.JobNotFound: 404,
    errors.NoResult: 409,
    errors.ResultExpired: 410,
    errors.BodyTooLarge: 413,
    errors.EncodedBody: 415,
    errors.InvalidParameter: 422,
    errors.IdempotencyKeyReused: 422,
    errors.Overloaded: 429,
    errors.StorageFull: 503,
    errors.NotReady: 503,
    pictures.UnsupportedImage: 415,
    pictures.BadImage: 422,
    pictures.ImageTooLarge: 413,
}
_OUT_OF_MEMORY = "out-of-memory"
WHERE_PARAMETERS_GO: Final = "parameters go in the address: /restore?task=derain"
RETRY_AFTER_S: Final = 10  # where the error does not say: a stored failure, a disk that is full on the way in
_STATUS: Final = {kind(error): status for error, status in _ERRORS.items()} | {_OUT_OF_MEMORY: 413}
_ABOUT: Final = {kind(error): (error.__doc__ or "").partition("\n")[0] for error in _ERRORS} | {
    _OUT_OF_MEMORY: "The picture does not fit in the server's memory.",
    errors.QUARANTINED.kind: errors.QUARANTINED.detail,
    errors.INTERNAL: "Something went wrong inside the server; its log says what, under the request's id.",
}


class Problem(BaseModel):
    """What went wrong (RFC 9457). Besides these members there are facts: what was found and what is allowed."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="the kind of problem, for machines", examples=["urn:unseam:problem:unsupported-image"]
    )
    title: str = Field(description="the kind of problem, for people", examples=["Unsupported image"])
    status: int = Field(description="the HTTP status", examples=[415])
    detail: str = Field(
        description="what was wrong with this request, and what is allowed",
        examples=[
            "This is no picture that can be read: it begins like a text file. JPEG, PNG, TIFF and WebP are taken."
        ],
    )
    instance: str | None = Field(None, description="the request's id, as in X-Request-Id and in the server's log")


def problem(
    kind: str, status: int, detail: str, *, facts: Any = None, request_id: str | None = None, title: str | None = None
) -> Problem:
    """The problem of a kind; facts become members of their own."""
    return Problem(
        type=f"urn:unseam:problem:{kind}",
        title=title or kind.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        instance=f"urn:unseam:request:{request_id}" if request_id else None,
        **{name: value for name, value in (facts or {}).items() if name not in Problem.model_fields},
    )


def of_status(status: int, detail: str | None = None, request_id: str | None = None) -> Problem:
    """The problem for an error of the framework, which knows a status and perhaps a sentence."""
    phrase = HTTPStatus(status).phrase
    detail = detail if detail and detail != phrase else _SENTENCES.get(status, phrase)
    name = _OURS.get(status, phrase.lower().replace(" ", "-"))
    return problem(name, status, detail, request_id=request_id)


# Where the framework and the service refuse the same thing.
_OURS: Final = {400: kind(errors.InvalidRequest), 413: kind(errors.BodyTooLarge)}
_SENTENCES: Final = {
    404: "There is nothing at this address; GET / shows what there is.",
    405: "This address does not take this method; the Allow header says which it takes.",
    413: "The body is larger than this server takes.",
    416: "The Range header asks for bytes beyond the end of the result.",
}


def of_failure(failure: Failure, request_id: str | None = None) -> Problem:
    """The problem for an error of ours, raised just now or stored with a job."""
    status = _STATUS.get(failure.kind, 500)
    return problem(failure.kind, status, failure.detail, facts=failure.facts, request_id=request_id)


def response(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer that carries a problem; one that passes says when to ask again."""
    content = problem.model_dump(mode="json", exclude_none=True)
    when = {"Retry-After": str(RETRY_AFTER_S)} if problem.status in (429, 503) else {}
    return JSONResponse(content, problem.status, when | (headers or {}), media_type=MEDIA_TYPE)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: these statuses answer with a problem, one of the kinds listed and shown."""
    return {status: _documented(status) for status in statuses}


def _documented(status: int) -> dict[str, Any]:
    kinds = {kind: about for kind, about in _ABOUT.items() if _STATUS.get(kind, 500) == status}
    if not kinds:
        framework = of_status(status)
        kinds = {framework.type.rpartition(":")[2]: framework.detail}
    examples = {
        name: {"summary": sentence, "value": problem(name, status, sentence).model_dump(exclude_none=True)}
        for name, sentence in kinds.items()
    }
    return {
        "description": "\n".join([HTTPStatus(status).phrase, *(f"- `{name}`: {it}" for name, it in kinds.items())]),
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}},
    }


def install(app: FastAPI) -> None:
    """Answer every exception with a problem."""

    @app.exception_handler(ServiceError)
    @app.exception_handler(pictures.PictureError)
    def ours(request: Request, error: Exception) -> JSONResponse:
        headers = {}
        if isinstance(error, RetryLater):
            headers["Retry-After"] = str(error.retry_after_s)
        if isinstance(error, Unauthorized):
            headers["WWW-Authenticate"] = 'Bearer realm="unseam"'
        if isinstance(error, EncodedBody):
            headers["Accept-Encoding"] = "identity"
        return response(of_failure(Failure.of(error), request.state.request_id), headers)

    @app.exception_handler(HTTPException)
    def frameworks(request: Request, error: HTTPException) -> JSONResponse:
        return response(of_status(error.status_code, error.detail, request.state.request_id), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    def validation(request: Request, error: RequestValidationError) -> JSONResponse:
        faults = [
            {"parameter": str(fault["loc"][-1]), "message": fault["msg"], "given": fault.get("input")}
            for fault in error.errors()
        ]
        words = [f"{fault['parameter']}: {fault['message']}" for fault in faults]
        if any(fault["type"] == "missing" and fault["loc"] == ("query", "task") for fault in error.errors()):
            words.append(WHERE_PARAMETERS_GO)  # perhaps it came as a field of the form
        detail = "; ".join(words)
        facts = {"errors": faults}
        return response(problem("invalid-parameter", 422, detail, facts=facts, request_id=request.state.request_id))

    @app.exception_handler(ClientDisconnect)
    def gone(request: Request, error: ClientDisconnect) -> JSONResponse:
        return response(of_status(400, "The connection closed before the body was complete.", request.state.request_id))
