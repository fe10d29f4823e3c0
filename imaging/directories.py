"""TIFF's directories of tags, in which TIFF, EXIF and GeoTIFF all keep what they know: read them, and write them anew.

TIFF 6.0, and BigTIFF's wider fields: a directory is a count, entries of tag, type, count and value, and the offset of
the next one. A value that does not fit its entry lies elsewhere. Some values are offsets of further directories.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import SEEK_END
from itertools import islice
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import cast

import numpy as np

from imaging.allowance import Allowance

EXIF, GPS, INTEROPERABILITY = 34665, 34853, 40965
_POINTERS = {EXIF, GPS, INTEROPERABILITY}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_WORDS = {5: 4, 10: 4}  # a rational is two 4-byte words; every other type is one word
_SHORT, _LONG = 3, 4
MAX_POINTER = 2**32 - 2**20  # a pointer to a directory of EXIF has 32 bits

DAMAGE = (struct.error, IndexError, KeyError, ValueError)


@dataclass(frozen=True)
class Tag:
    """One entry.

    Attributes:
        number: which tag.
        kind: TIFF's field type, 1..18.
        value: little-endian bytes; for a tag that points to a directory, empty.
        children: that directory's tags.
    """

    number: int
    kind: int
    value: bytes
    children: tuple[Tag, ...] = ()

    @property
    def integers(self) -> tuple[int, ...]:
        """Values of the types BYTE, SHORT and LONG."""
        return tuple(np.frombuffer(self.value, dtype=f"<u{_SIZES[self.kind]}").tolist())


@dataclass(frozen=True)
class _Layout:
    """How numbers are written in one file."""

    order: str
    big: bool

    @classmethod
    def of(cls, data: bytes) -> _Layout:
        order = {b"II": "<", b"MM": ">"}[data[:2]]
        return cls(order, {42: False, 43: True}[struct.unpack_from(order + "H", data, 2)[0]])

    @property
    def offset(self) -> str:
        return self.order + ("Q" if self.big else "I")

    @property
    def count(self) -> str:
        return self.order + ("Q" if self.big else "H")

    @property
    def entry_size(self) -> int:
        return 20 if self.big else 12

    @property
    def room(self) -> int:
        return 8 if self.big else 4

    @property
    def first(self) -> int:
        """Where the file says where its first directory is."""
        return 8 if self.big else 4


def walk(data: bytes, wanted: frozenset[int], allowance: Allowance | None = None) -> Iterator[tuple[Tag, ...]]:
    """The wanted tags of one directory after the other.

    Raises one of DAMAGE; ValueError where they run in a circle, or hold more than the allowance.
    """
    layout, allowance = _Layout.of(data), allowance or Allowance()
    for offset in _offsets(data, layout, allowance):
        yield _read(data, layout, offset, wanted, allowance)


def tags_of(data: bytes, page: int, wanted: frozenset[int]) -> tuple[Tag, ...]:
    """The wanted tags of one directory; of those before it nothing but their lengths is read. Raises as `walk`."""
    layout, allowance = _Layout.of(data), Allowance()
    offset = next(islice(_offsets(data, layout, allowance), page, None), None)
    return () if offset is None else _read(data, layout, offset, wanted, allowance)


def _offsets(data: bytes, layout: _Layout, allowance: Allowance) -> Iterator[int]:
    """Where one directory after the other begins."""
    offset = struct.unpack_from(layout.offset, data, layout.first)[0]
    seen: set[int] = set()
    while offset:
        if offset in seen:
            raise ValueError("the directories run in a circle")
        seen.add(offset)
        allowance.spend(directories=1)
        first, count = _entries(data, layout, offset)
        yield offset
        offset = struct.unpack_from(layout.offset, data, first + count * layout.entry_size)[0]


def appended(data: bytes, tags: Iterable[Tag]) -> bytes:
    """The same little-endian TIFF with further tags in its first directory, which is written anew at the end."""
    layout, tail, start = _rewritten(data, tags)
    out = bytearray(data + tail)
    struct.pack_into(layout.offset, out, layout.first, start)
    return bytes(out)


def append_to_file(path: Path, tags: Iterable[Tag]) -> None:
    """Give a little-endian TIFF of any size further tags, as `appended` does, in place.

    Directories of EXIF are pointed to with 32 bits, so beyond 4 GiB such tags are left out.
    """
    with path.open("r+b") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as mapped:
        if len(mapped) >= MAX_POINTER:
            tags = (tag for tag in tags if tag.number not in _POINTERS)
        if tags := tuple(tags):
            layout, tail, start = _rewritten(cast(bytes, mapped), tags)
            file.seek(0, SEEK_END)
            file.write(tail)
            file.seek(layout.first)
            file.write(struct.pack(layout.offset, start))


def _rewritten(data: bytes, tags: Iterable[Tag]) -> tuple[_Layout, bytes, int]:
    """The first directory anew, as bytes for the file's end, and where in the file it then begins."""
    layout = _Layout.of(data)
    offset = struct.unpack_from(layout.offset, data, layout.first)[0]
    first, count = _entries(data, layout, offset)
    size = layout.entry_size
    entries = {}
    for at in range(first, first + count * size, size):
        entries[struct.unpack_from("<H", data, at)[0]] = data[at : at + size]
    following = struct.unpack_from(layout.offset, data, first + count * size)[0]
    tail = _Tail(len(data))
    start = _write(tail, layout, tags, entries, following)
    return layout, bytes(tail.written), start


def overwritten(data: bytes, values: Mapping[int, int]) -> bytes:
    """The same TIFF, in which single integers of its first directory and of EXIF's are others; none is added.

    Raises one of DAMAGE.
    """
    layout, out = _Layout.of(data), bytearray(data)
    if layout.big:
        raise ValueError("EXIF is no BigTIFF")
    size = layout.entry_size
    offsets = [struct.unpack_from(layout.offset, data, layout.first)[0]]
    for offset in offsets:
        first, count = _entries(data, layout, offset)
        for at in range(first, first + count * size, size):
            number, kind, several, value = struct.unpack_from(layout.order + "HHII", data, at)
            if number in values and kind in (_SHORT, _LONG) and several == 1:
                struct.pack_into(layout.order + "HHII", out, at, number, _LONG, 1, values[number])
            elif number == EXIF and len(offsets) == 1:
                offsets.append(value)
    return bytes(out)


def as_file(tags: Iterable[Tag]) -> bytes:
    """A TIFF that holds tags and no picture: what an EXIF block is."""
    return appended(b"II*\0" + struct.pack("<IHI", 8, 0, 0), tags)


def _entries(data: bytes, layout: _Layout, offset: int) -> tuple[int, int]:
    """Where a directory's entries begin, and how many there are."""
    if offset > len(data):
        raise IndexError(f"a directory at byte {offset:,} does not lie in the file")
    count: int = struct.unpack_from(layout.count, data, offset)[0]
    first = offset + struct.calcsize(layout.count)
    if first + count * layout.entry_size > len(data):
        raise IndexError(f"a directory of {count} entries does not fit into the file")
    return first, count


def _read(
    data: bytes, layout: _Layout, offset: int, wanted: frozenset[int] | None, allowance: Allowance, depth: int = 0
) -> tuple[Tag, ...]:
    """The wanted tags (None: all) of the directory at `offset`, with those that they point to."""
    first, count = _entries(data, layout, offset)
    allowance.spend(entries=count)
    tags = []
    for at in range(first, first + count * layout.entry_size, layout.entry_size):
        number, kind = struct.unpack_from(layout.order + "HH", data, at)
        if (wanted is not None and number not in wanted) or kind not in _SIZES:
            continue
        values = struct.unpack_from(layout.offset, data, at + 4)[0]
        inline = at + 4 + layout.room
        length = values * _SIZES[kind]
        where = inline if length <= layout.room else struct.unpack_from(layout.offset, data, inline)[0]
        if where + length > len(data):
            raise IndexError(f"the value of tag {number} does not fit into the file")
        allowance.spend(value_bytes=length)
        if number not in _POINTERS:
            word = _WORDS.get(kind, _SIZES[kind])
            value = np.frombuffer(data, dtype=f"{layout.order}u{word}", count=length // word, offset=where)
            tags.append(Tag(number, kind, value.astype(f"<u{word}").tobytes()))
        elif depth < 3:
            allowance.spend(directories=1)
            inner = int.from_bytes(data[where : where + length], "little" if layout.order == "<" else "big")
            tags.append(Tag(number, _LONG, b"", _read(data, layout, inner, None, allowance, depth + 1)))
    return tuple(tags)


def _write(out: _Tail, layout: _Layout, tags: Iterable[Tag], entries: dict[int, bytes], following: int = 0) -> int:
    """Put a directory of ready entries and further tags at the end of `out`; returns where it begins."""
    entries = dict(entries)
    for tag in tags:
        if tag.number in entries:
            continue
        value = tag.value
        if tag.number in _POINTERS:
            value = struct.pack("<I", _write(out, layout, tag.children, {}))
        count = len(value) // _SIZES[tag.kind]
        if len(value) > layout.room:
            value = struct.pack(layout.offset, _put(out, value))
        entries[tag.number] = struct.pack("<HH" + layout.offset[1], tag.number, tag.kind, count) + value.ljust(
            layout.room, b"\0"
        )
    body = b"".join(entries[number] for number in sorted(entries))
    return _put(out, struct.pack(layout.count, len(entries)) + body + struct.pack(layout.offset, following))


def _put(out: _Tail, data: bytes) -> int:
    """Append at a word's border; returns where."""
    out.written.extend(b"\0" * (len(out) % 2))
    out.written.extend(data)
    return len(out) - len(data)


@dataclass
class _Tail:
    """What comes behind the first `before` bytes of a file."""

    before: int
    written: bytearray = field(default_factory=bytearray)

    def __len__(self) -> int:
        return self.before + len(self.written)
