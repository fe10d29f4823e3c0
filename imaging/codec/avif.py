"""Which colour space an AVIF says its picture has, as the codec library tells of ICC profiles alone.

ISO/IEC 14496-12 and 23008-12: a box is its length (4 bytes), type (4) and body. In `meta`, `pitm` tells which item is
the picture, `iprp/ipco` lists properties, and `iprp/ipma` tells which of them, counted from 1, an item has.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_DAMAGE = (struct.error, IndexError, KeyError)


def code_points(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer (`imaging.codec.code_points`) of the picture; None where it has none or is damaged."""
    try:
        meta = dict(_boxes(data, *dict(_boxes(data, 0, len(data)))[b"meta"], skipped=4))
        properties = dict(_boxes(data, *meta[b"iprp"]))
        bodies = [body for _, body in _boxes(data, *properties[b"ipco"])]
        for index in _associated(data, properties[b"ipma"][0], _primary(data, meta[b"pitm"][0])):
            start, _ = bodies[index - 1]
            if data[start - 4 : start + 4] == b"colrnclx":
                primaries, transfer = struct.unpack_from(">HH", data, start + 4)
                return primaries, transfer
    except _DAMAGE:
        return None
    return None


def _boxes(data: bytes, start: int, stop: int, *, skipped: int = 0) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Type and body (start, stop) of the boxes in data[start:stop], behind as many bytes as are to be skipped."""
    at = start + skipped
    while at + 8 <= stop:
        length, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        end = at + length if length else stop
        if end < at + head or end > stop:
            return
        yield kind, (at + head, end)
        at = end


def _primary(data: bytes, pitm: int) -> int:
    """The number of the item that is the picture."""
    item: int = struct.unpack_from(">I" if data[pitm] else ">H", data, pitm + 4)[0]
    return item


def _associated(data: bytes, ipma: int, wanted: int) -> list[int]:
    """An item's properties, by their places."""
    version, flags, count = data[ipma], data[ipma + 3], struct.unpack_from(">I", data, ipma + 4)[0]
    item_format, place_format = ">I" if version else ">H", ">H" if flags & 1 else ">B"
    at = ipma + 8
    for _ in range(count):
        (item,) = struct.unpack_from(item_format, data, at)
        at += struct.calcsize(item_format)
        several, size = data[at], struct.calcsize(place_format)
        if item == wanted:
            essential = 0x8000 if flags & 1 else 0x80
            places = (struct.unpack_from(place_format, data, at + 1 + n * size)[0] for n in range(several))
            return [place & ~essential for place in places if place & ~essential]
        at += 1 + several * size
    return []
