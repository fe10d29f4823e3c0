"""A picture on its way in: to a temporary file, hashed as it comes, never whole in memory."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anyio import to_thread
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.types import Message

from imaging.codec import Header, Limits
from imaging.codec.header import check, open_header
from service.api.negotiation import listed
from service.api.problems import WHERE_PARAMETERS_GO
from service.errors import BodyTooLarge, EncodedBody, InvalidRequest

_CHUNK_BYTES: Final = 2**20
_FRAMING_BYTES: Final = 2**16  # what a multipart body may hold beside the picture
_FIELDS: Final = 100  # that a form may have, to be told by name that they do not belong there


@dataclass(frozen=True)
class Upload:
    """The bytes of a picture, as they came.

    Attributes:
        path: of the file.
        size_bytes: at least 1.
        sha256: of the bytes.
    """

    path: Path
    size_bytes: int
    sha256: str


@dataclass
class Intake:
    """What one process is receiving: `bytes` that requests announced, whose end is still to come."""

    bytes: int = 0


@asynccontextmanager
async def received(request: Request, folder: Path, max_bytes: int, intake: Intake) -> AsyncIterator[Upload]:
    """Receive a request's picture into a file; it is deleted in the end, unless someone moved it away.

    The picture is the body, or the field `image` of multipart/form-data. Any other Content-Type is taken for the
    picture's: what it is, its own bytes say (curl --data-binary announces a form).

    Raises:
        BodyTooLarge: more than `max_bytes`; by Content-Length, before anything is read.
        InvalidRequest: no bytes, or a form without its field.
        EncodedBody: a Content-Encoding other than `identity`.
    """
    _refuse_encoding(request)
    limited = _limited(request, max_bytes + _FRAMING_BYTES * _is_form(request))
    with (
        _expected(intake, announced(request)),
        tempfile.NamedTemporaryFile(dir=folder, suffix=".upload", delete=False) as file,
    ):
        path = Path(file.name)
        try:
            digest, size = hashlib.sha256(), 0

            def keep(chunk: bytes) -> None:
                digest.update(chunk)
                file.write(chunk)

            async for chunk in _form_chunks(limited) if _is_form(request) else _body_chunks(limited):
                size += len(chunk)
                if size > max_bytes:
                    raise _too_large(size, max_bytes)
                await to_thread.run_sync(keep, chunk)
            if not size:
                raise InvalidRequest(
                    "The body is empty; send the bytes of a picture (curl --data-binary @picture.png)."
                )
            file.close()
            yield Upload(path, size, digest.hexdigest())
        finally:
            path.unlink(missing_ok=True)


def announced(request: Request) -> int:
    """The bytes that a request says it brings; 0 where it does not say."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdigit() else 0


def header(path: Path, limits: Limits, frame: int | None) -> Header:
    """What a picture's header says; nothing is decoded. Raises UnsupportedImage, BadImage or ImageTooLarge."""
    data = path.read_bytes()
    check(data, limits, frame)
    return open_header(data, frame or 0)[0]


@contextmanager
def _expected(intake: Intake, count: int) -> Iterator[None]:
    intake.bytes += count
    try:
        yield
    finally:
        intake.bytes -= count


def _refuse_encoding(request: Request) -> None:
    codings = (listed(request.headers, "content-encoding") or "identity").lower()
    if any(coding.strip() != "identity" for coding in codings.split(",")):
        raise EncodedBody(f"The body comes with Content-Encoding: {codings}; send the picture as it is.", found=codings)


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def _limited(request: Request, max_bytes: int) -> Request:
    """The same request, which raises BodyTooLarge rather than give more than `max_bytes`."""
    if announced(request) > max_bytes:
        raise _too_large(announced(request), max_bytes)
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise _too_large(received, max_bytes)
        return message

    return Request(request.scope, receive)


def _too_large(found: int, max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The body has more than the {max_bytes:,} bytes that are taken.", bytes=found, max_bytes=max_bytes
    )


async def _body_chunks(request: Request) -> AsyncIterator[bytes]:
    """The body, in pieces large enough to be worth a thread's while."""
    pieces = bytearray()
    async for piece in request.stream():
        pieces += piece
        if len(pieces) >= _CHUNK_BYTES:
            yield bytes(pieces)
            pieces.clear()
    if pieces:
        yield bytes(pieces)


async def _form_chunks(request: Request) -> AsyncIterator[bytes]:
    """The file in the field `image`."""
    async with request.form(max_files=1, max_fields=_FIELDS) as form:
        image = form.get("image")
        if not isinstance(image, UploadFile) or len(form) > 1:
            raise InvalidRequest(
                "The form has to be one file in the field 'image' (curl -F image=@picture.png); "
                f"{WHERE_PARAMETERS_GO}.",
                found=list(form.keys()),
                allowed=["image"],
            )
        while chunk := await image.read(_CHUNK_BYTES):
            yield chunk
