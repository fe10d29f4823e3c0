"""The three things in XMP that matter here: orientation, size, and whether it names a place.

A packet is XML in which a property is an attribute or an element; numbers are replaced where they stand.
"""

from __future__ import annotations

import re

# By names of properties, whatever their prefix, for each packet declares these anew: EXIF's and drones' GPS, IPTC's
# Location, Sublocation, CountryCode and ProvinceState, Photoshop's City, State and Country, Dublin Core's coverage.
_PLACE = re.compile(
    rb"gps|latitude|longitude|location|\bgeo:|(?<![\w.-])(?:city|state|country\w*|provincestate|coverage)[\s=/>]",
    re.IGNORECASE,
)


def names_place(packet: bytes) -> bool:
    """Whether a packet says where a picture was taken or what place it shows; so may one that is not in UTF-8."""
    text = packet.rstrip(b"\0")
    return b"\0" in text or _PLACE.search(text) is not None


def upright(packet: bytes) -> bytes:
    """The same packet of a picture whose orientation has been applied."""
    return _with_number(packet, rb"tiff:Orientation", 1)


def of_size(packet: bytes, width: int, height: int) -> bytes:
    """The same packet with these sides wherever it tells any."""
    packet = _with_number(packet, rb"tiff:ImageWidth|exif:PixelXDimension", width)
    return _with_number(packet, rb"tiff:ImageLength|exif:PixelYDimension", height)


def _with_number(packet: bytes, names: bytes, value: int) -> bytes:
    return re.sub(rb"(\b(?:%b)(?:\s*=\s*[\"']|>)\s*)\d+" % names, rb"\g<1>%d" % value, packet)
