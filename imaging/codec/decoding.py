"""Bytes to picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

from imaging.codec import png, tiff, xmp
from imaging.codec.exif import resolution
from imaging.codec.header import Header, Limits, check, open_header, reason
from imaging.directories import Tag
from imaging.errors import BadImage
from imaging.picture import Format, Metadata, Picture

_NO_RESOLUTION = 1.0  # pixels per millimetre that the library gives to files that say nothing
_MM_PER_INCH = 25.4

# A JPEG decoder goes on after damage, with grey or shifted blocks, and says so in a warning that begins like this. Its
# other warnings cost no pixel, nor do bytes that some cameras put before the end mark.
_LOST_PIXELS = "Corrupt JPEG data"
_PADDED = "extraneous bytes before marker 0xd9"


def decode(data: bytes, limits: Limits | None = None, *, frame: int | None = None) -> Picture:
    """Decode a file; its EXIF orientation is applied, its colours are those stored.

    Args:
        data: the file's bytes.
        limits: what is taken at most; checked from the header before anything is decoded.
        frame: which frame or page of an animation or multipage file; None refuses such files.

    Raises:
        UnsupportedImage: the kind of file or of picture is not taken.
        ImageTooLarge: it is over one of the limits.
        BadImage: it is damaged or cut short.
    """
    check(data, limits or Limits(), frame)
    header, image = open_header(data, frame or 0)
    metadata = describe(header, image, data, frame or 0)
    values = _values(header, data, frame or 0)
    pixels = to_unit(values[..., : header.channels], header.depth)
    alpha = to_unit(values[..., -1], header.depth) if header.alpha else None
    return Picture(pixels, alpha, max(header.depth, 8), header.format, header.lossless, metadata)


def _values(header: Header, data: bytes, frame: int) -> NDArray[Any]:
    """The stored values, upright: (H, W, bands), uint8 or uint16."""
    # Rows can be decoded one after the other; turning needs all of them.
    options: dict[str, Any] = {"access": "sequential"} if header.orientation == 1 else {}
    if header.format is Format.JPEG:
        try:
            return _upright(open_header(data, frame, fail_on="warning", **options)[1])
        except (pyvips.Error, BadImage) as error:
            if lost_pixels(error):
                raise damaged(header, error) from error
    try:
        return _upright(open_header(data, frame, **options)[1])
    except pyvips.Error as error:
        raise damaged(header, error) from error


def lost_pixels(error: Exception) -> bool:
    """Whether what a JPEG's decoder warns of has cost pixels."""
    return _LOST_PIXELS in str(error) and _PADDED not in str(error)


def _upright(image: pyvips.Image) -> NDArray[Any]:
    upright = image.autorot()
    values = np.frombuffer(upright.write_to_memory(), dtype=np.uint8 if image.format == "uchar" else np.uint16)
    return values.reshape(upright.height, upright.width, upright.bands)


def damaged(header: Header, error: Exception) -> BadImage:
    """The library's error as ours."""
    return BadImage(f"This {header.format.label} is damaged or cut short: {reason(error)}.", format=header.format)


def to_unit(values: NDArray[Any], depth: int) -> NDArray[np.float32]:
    """Stored values to 0..1. In 16 bits, the library holds 10- and 12-bit values at the upper end."""
    top = 255 if values.dtype == np.uint8 else ((1 << depth) - 1) << (16 - depth)
    unit: NDArray[np.float32] = np.divide(values, np.float32(top), dtype=np.float32)
    return unit


def describe(header: Header, image: pyvips.Image, data: bytes, frame: int) -> Metadata:
    """Profile, EXIF and the like."""

    def blob(field: str) -> bytes | None:
        return bytes(image.get(field)) if image.get_typeof(field) else None

    exif, packet = blob("exif-data"), blob("xmp-data")
    geography: tuple[Tag, ...] = ()
    if header.format is Format.TIFF:
        page = tiff.facts(data).pages[frame]
        exif = tiff.exif(data, page)
        # A turned picture lies otherwise on the ground than its tags say.
        geography = tiff.geography(data, page) if header.orientation == 1 else ()
    return Metadata(
        icc=blob("icc-profile-data"),
        exif=exif,
        xmp=packet if packet is None or header.orientation == 1 else xmp.upright(packet),
        iptc=blob("iptc-data"),
        dpi=_dpi(header, image, data),
        chunks=png.carried(data) if header.format is Format.PNG else (),
        geography=geography,
    )


def _dpi(header: Header, image: pyvips.Image, data: bytes) -> tuple[float, float] | None:
    """The file's own resolution, else EXIF's; the library's stand-ins for none are left out."""
    said = image.get_typeof("resolution-unit") and image.xres != _NO_RESOLUTION
    if said or (header.format is Format.PNG and png.has_resolution(data)):
        across, down = image.xres * _MM_PER_INCH, image.yres * _MM_PER_INCH
    elif image.get_typeof("exif-data") and (stated := resolution(bytes(image.get("exif-data")))):
        across, down = stated
    else:
        return None
    return (down, across) if header.orientation >= 5 else (across, down)
