"""The three things in EXIF that matter here: resolution, size, and the place where the picture was taken."""

from __future__ import annotations

import struct

from PIL import Image

from imaging import directories

_SIGNATURE = b"Exif\0\0"
_WIDTHS, _HEIGHTS = (256, 0xA002), (257, 0xA003)  # ImageWidth, PixelXDimension; ImageLength, PixelYDimension
_GPS_DIRECTORY = 0x8825
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_PER_INCH = {2: 1.0, 3: 2.54}  # inch, centimetre
_DAMAGE = (struct.error, SyntaxError, ValueError, TypeError, KeyError, OSError, ZeroDivisionError)


def resolution(exif: bytes) -> tuple[float, float] | None:
    """Pixels per inch across and down, or None where EXIF does not say."""
    try:
        tags = _read(exif)
        factor = _PER_INCH[int(tags.get(_RESOLUTION_UNIT, 2))]
        across, down = (float(tags[tag]) * factor for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    except _DAMAGE:
        return None
    return (across, down) if across > 0 and down > 0 else None


def without_location(exif: bytes) -> bytes | None:
    """The same EXIF without its GPS directory; None where it is too damaged to tell."""
    try:
        tags = _read(exif)
        if _GPS_DIRECTORY in tags:
            del tags[_GPS_DIRECTORY]
        return tags.tobytes()
    except _DAMAGE:
        return None


def of_size(exif: bytes, width: int, height: int) -> bytes:
    """The same EXIF with these sides wherever it tells any, else byte for byte; so is what is damaged."""
    signature = _SIGNATURE if exif.startswith(_SIGNATURE) else b""
    sides = dict.fromkeys(_WIDTHS, width) | dict.fromkeys(_HEIGHTS, height)
    try:
        return signature + directories.overwritten(exif.removeprefix(signature), sides)
    except directories.DAMAGE:
        return exif


def _read(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    tags.load(exif)
    return tags
