"""A picture made small for a screen, without ever being whole in memory."""

from __future__ import annotations

from typing import Any

import pyvips

from imaging.codec import tiff
from imaging.codec.header import Limits, check, open_header, reason
from imaging.errors import BadImage
from imaging.picture import Format

_QUALITY = 88


def preview(data: bytes, side: int, limits: Limits | None = None, *, frame: int | None = None) -> bytes:
    """A WebP of a file's picture, upright, in sRGB, neither side longer than `side` pixels; never enlarged.

    Args:
        data: the file's bytes.
        side: pixels.
        limits: what is taken at most; checked from the header before anything is decoded.
        frame: which frame or page of an animation or multipage file; None refuses such files.

    Raises:
        UnsupportedImage: the kind of file or of picture is not taken.
        ImageTooLarge: it is over one of the limits.
        BadImage: it is too damaged to show anything of it.
    """
    check(data, limits or Limits(), frame)
    header = open_header(data, frame or 0)[0]
    options: dict[str, Any] = {"height": side, "size": "down", "export_profile": "srgb", "fail_on": "error"}
    if frame and header.format in (Format.WEBP, Format.TIFF):
        page = tiff.facts(data).pages[frame] if header.format is Format.TIFF else frame
        options["option_string"] = f"[page={page}]"
    try:
        small = pyvips.Image.thumbnail_buffer(data, side, **options)
        written: bytes = small.webpsave_buffer(Q=_QUALITY, keep="none")
    except pyvips.Error as error:
        raise BadImage(
            f"This {header.format.label} is damaged or cut short: {reason(error)}.", format=header.format
        ) from error
    return written
