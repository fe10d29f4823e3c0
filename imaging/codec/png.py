"""PNG chunks that the codec library drops: gamma, primaries, texts. They are carried over byte for byte.

PNG Specification, third edition: a chunk is length (4 bytes), type (4), data, CRC-32 of type and data (4).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

from imaging.codec.code_points import unusual

Chunk = tuple[bytes, bytes]

_SIGNATURE_LENGTH = 8
COLOUR = {b"gAMA", b"cHRM", b"sRGB", b"cICP"}
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_TIME = b"tIME"
_XMP = b"XML:com.adobe.xmp\0"  # an iTXt that the codec library understands and writes itself
_STANDARD_GAMMA = 45455
_PRIMARIES = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)  # white, red, green, blue of sRGB, x and y each


def chunks(data: bytes) -> Iterator[Chunk]:
    """(type, data) in the file's order, as far as they are whole."""
    at = _SIGNATURE_LENGTH
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def carried(data: bytes) -> tuple[Chunk, ...]:
    """The chunks to be handed on to a restored PNG."""
    return tuple(
        (kind, body)
        for kind, body in chunks(data)
        if kind in COLOUR or kind == _TIME or (kind in _TEXT and not body.startswith(_XMP))
    )


def without_texts(carried_chunks: Iterable[Chunk]) -> tuple[Chunk, ...]:
    """All but texts, which may say anything: a place, or all of EXIF (ImageMagick's "Raw profile type exif")."""
    return tuple(chunk for chunk in carried_chunks if chunk[0] not in _TEXT)


def frames(data: bytes) -> int:
    """How many frames: 1, or what an animated PNG's control chunk says."""
    for kind, body in chunks(data):
        if kind == b"acTL" and len(body) >= 4:
            return int.from_bytes(body[:4], "big")
        if kind == b"IDAT":
            break
    return 1


def has_resolution(data: bytes) -> bool:
    """Whether the file states pixels per metre (and not just the pixels' aspect)."""
    return any(kind == b"pHYs" and body[8:9] == b"\1" for kind, body in chunks(data))


def unusual_gamma(carried_chunks: Iterable[Chunk]) -> float | None:
    """The file's gamma where it is not the usual 1/2.2 and nothing overrides it, else None."""
    kinds = dict(carried_chunks)
    gamma = int.from_bytes(kinds.get(b"gAMA", _STANDARD_GAMMA.to_bytes(4, "big"))[:4], "big")
    if {b"sRGB", b"cICP"} & kinds.keys() or abs(gamma - _STANDARD_GAMMA) <= 500:
        return None
    return gamma / 100_000


def unusual_colours(carried_chunks: Iterable[Chunk]) -> str | None:
    """What the file says of its colours, by numbers, that is not as in sRGB, in words; None where nothing is.

    Third edition, 4.3: cICP goes before sRGB, and that before cHRM.
    """
    kinds = dict(carried_chunks)
    if len(code_points := kinds.get(b"cICP", b"")) == 4:
        return unusual(code_points[0], code_points[1])
    primaries = kinds.get(b"cHRM", b"")
    if b"sRGB" in kinds or len(primaries) != 32:
        return None
    stated = struct.unpack(">8I", primaries)
    near = all(abs(one - other) <= 500 for one, other in zip(stated, _PRIMARIES, strict=True))
    return None if near else "primaries of its own (cHRM)"


def with_chunks(data: bytes, added: Iterable[Chunk], dropped: Iterable[bytes] = ()) -> bytes:
    """The same PNG with chunks added behind its header and those of some types left out."""
    dropped = set(dropped)
    parts = [data[:_SIGNATURE_LENGTH]]
    for kind, body in chunks(data):
        if kind not in dropped:
            parts.append(_packed(kind, body))
        if kind == b"IHDR":
            parts.extend(_packed(*chunk) for chunk in added)
    return b"".join(parts)


def _packed(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
