"""XMP packets: whether one names a place."""

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
