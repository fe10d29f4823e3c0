"""What a TIFF's directories say that the codec library does not tell: pages, previews, raw files, fourth channels.

TIFF 6.0, and BigTIFF's wider fields: a directory is a count, entries of tag, type, count and value, and the offset of
the next one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from imaging.errors import BadImage, UnsupportedImage

_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _SAMPLES_PER_PIXEL, _EXTRA_SAMPLES, _DNG_VERSION = 254, 262, 277, 338, 50706
_COLOURS = {0: 1, 1: 1, 3: 1, 5: 4}  # by photometric interpretation: white is zero, black is zero, palette, CMYK
_MAX_DIRECTORIES = 100_000


@dataclass(frozen=True)
class Facts:
    """What the directories say.

    Attributes:
        pages: numbers of the directories that are pages of their own, not smaller copies of another.
    """

    pages: tuple[int, ...]


def facts(data: bytes) -> Facts:
    """Walk the directories.

    Raises:
        BadImage: they are damaged, or run in a circle.
        UnsupportedImage: a camera's raw file, or a fourth channel that is not plain transparency.
    """
    try:
        directories = _directories(data)
    except (struct.error, IndexError) as error:
        raise BadImage("This TIFF's directory is damaged or cut short.", format="tiff") from error
    if any(_DNG_VERSION in tags for tags in directories):
        raise UnsupportedImage("This is a camera's raw file (DNG); develop it to TIFF or JPEG first.", kind="dng")
    pages = tuple(n for n, tags in enumerate(directories) if not tags.get(_NEW_SUBFILE_TYPE, (0,))[0] & 1)
    if not directories or 0 not in pages:
        raise UnsupportedImage("This TIFF begins with a preview, as raw files do; export the picture itself.")
    _refuse_other_channels(directories[0])
    return Facts(pages)


def _refuse_other_channels(tags: dict[int, tuple[int, ...]]) -> None:
    extra = tags.get(_EXTRA_SAMPLES, ())
    samples = tags.get(_SAMPLES_PER_PIXEL, (1,))[0]
    colours = _COLOURS.get(tags.get(_PHOTOMETRIC, (1,))[0], 3)
    if 1 in extra:
        raise UnsupportedImage(
            "This TIFF has its transparency multiplied into the colours. Save it with straight (unassociated) alpha."
        )
    if samples > colours + 1 or (samples == colours + 1 and extra[:1] != (2,)):
        raise UnsupportedImage(
            f"This TIFF has {samples} channels of which only {colours} are colours and none is said to be "
            "transparency; an infrared band, for one, would be lost. Send the colours alone.",
            channels=samples,
        )


def _directories(data: bytes) -> list[dict[int, tuple[int, ...]]]:
    """Per directory, the short values that matter here, by tag."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    count_format, entry_size, offset_format = (order + "Q", 20, order + "Q") if big else (order + "H", 12, order + "I")
    offset = struct.unpack_from(offset_format, data, 8 if big else 4)[0]
    directories: list[dict[int, tuple[int, ...]]] = []
    seen: set[int] = set()
    while offset:
        if offset in seen or len(seen) > _MAX_DIRECTORIES:
            raise BadImage("This TIFF's directories run in a circle.", format="tiff")
        seen.add(offset)
        count = struct.unpack_from(count_format, data, offset)[0]
        first = offset + struct.calcsize(count_format)
        if first + count * entry_size > len(data):
            raise IndexError(count)
        tags = {}
        for at in range(first, first + count * entry_size, entry_size):
            tag = struct.unpack_from(order + "H", data, at)[0]
            if tag in (_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _SAMPLES_PER_PIXEL, _EXTRA_SAMPLES, _DNG_VERSION):
                tags[tag] = _values(data, order, at, big)
        directories.append(tags)
        offset = struct.unpack_from(offset_format, data, first + count * entry_size)[0]
    return directories


def _values(data: bytes, order: str, at: int, big: bool) -> tuple[int, ...]:
    """Up to 8 values of a BYTE, SHORT or LONG entry."""
    kind = struct.unpack_from(order + "H", data, at + 2)[0]
    count = struct.unpack_from(order + ("Q" if big else "I"), data, at + 4)[0]
    letter = {1: "B", 3: "H", 4: "I"}.get(kind, "B")
    where, room = (at + 12, 8) if big else (at + 8, 4)
    count = min(count, 8)
    layout = f"{order}{count}{letter}"
    if struct.calcsize(layout) > room:
        where = struct.unpack_from(order + ("Q" if big else "I"), data, where)[0]
    return struct.unpack_from(layout, data, where)
