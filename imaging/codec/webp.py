"""Whether a WebP holds its pixels exactly: RIFF chunk `VP8L` is lossless, `VP8 ` is lossy (RFC 9649)."""

from __future__ import annotations


def is_lossless(data: bytes) -> bool:
    """True if the (first) picture in the container is lossless."""
    at = 12
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind in (b"VP8L", b"VP8 "):
            return kind == b"VP8L"
        # An animation frame holds its picture's chunks behind 16 bytes of its own.
        at += 8 + 16 if kind == b"ANMF" else 8 + length + length % 2
    return False
