"""Server-sent events, of which each carries its data in one line, as the service writes them."""

from __future__ import annotations

from collections.abc import Iterator


class Lines:
    """Cuts a stream of bytes into lines: at line feeds only, for JSON may hold what else counts as a line's end."""

    def __init__(self) -> None:
        self._rest = b""

    def data(self, piece: bytes) -> Iterator[bytes]:
        """The data of every event that is complete with this piece."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return (line.removeprefix(b"data:") for line in lines if line.startswith(b"data:"))
