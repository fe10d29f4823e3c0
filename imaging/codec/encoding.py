"""Picture to bytes."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Literal

import numpy as np
import pyvips
from numpy.typing import NDArray

from imaging.codec import exif, png, tiff, xmp
from imaging.errors import ImageTooLarge, UnsupportedImage
from imaging.picture import Format, Metadata, Picture

Chroma = Literal["4:4:4", "4:2:0"]
Keep = Literal["all", "no-location", "none"]

DEFAULT_QUALITY = 95
_MAX_SIDE = {Format.JPEG: 65_535, Format.WEBP: 16_383, Format.AVIF: 16_384}
_GREY_PROFILE = b"GRAY"  # ICC.1:2022, 7.2.8: the colour space of the data
_MM_PER_INCH = 25.4
UNKNOWN_DPI = (72.0, 72.0)  # what EXIF prescribes where the resolution is unknown
CLASSIC_TIFF_BYTES = 3_900_000_000  # a TIFF of 32-bit offsets ends at 4 GiB
_ROWS_AT_ONCE = 256


def encode(
    picture: Picture,
    *,
    format: Format | None = None,
    quality: int | None = None,
    chroma: Chroma = "4:4:4",
    keep: Keep = "all",
) -> bytes:
    """Write a picture, by default as the kind of file it came from: lossless stays lossless, 16 bits stay 16.

    Args:
        picture: values outside 0..1 are clipped.
        format: another kind of file. JPEG and WebP hold 8 bits, JPEG no transparency, WebP and AVIF no plain grey.
        quality: 1..100 for lossy kinds, 95 unless given; given for a WebP that came lossless, it makes it lossy.
        chroma: colour resolution of JPEG and AVIF; WebP has 4:2:0 alone unless it is lossless.
        keep: metadata to write: "all", all but where the picture was taken ("no-location"), or "none". The colour
            profile and gamma always stay, for without them the colours would be others.

    Raises:
        ValueError: the quality is not 1..100.
        UnsupportedImage: the kind of file cannot hold this picture.
        ImageTooLarge: the kind of file has no room for sides of this length.
    """
    format = picture.format if format is None else format
    if quality is not None and not 1 <= quality <= 100:
        raise ValueError(f"quality must be 1 to 100, not {quality}")
    refuse_loss(picture, format)
    depth = stored_depth(picture, format)
    height, width = picture.pixels.shape[:2]
    metadata = of_size(kept(picture.metadata, keep), width, height)
    image = _with_metadata(_to_image(picture, depth), metadata)
    options = _options(
        format,
        depth=depth,
        quality=DEFAULT_QUALITY if quality is None else quality,
        chroma=chroma,
        lossless=picture.lossless and quality is None,
        big=image.width * image.height * image.bands * depth // 8 > CLASSIC_TIFF_BYTES,
    )
    # Asked to keep EXIF, the library makes one up where there is none.
    options["keep"] = "icc:xmp:iptc:other" + (":exif" if metadata.exif else "")
    data: bytes = image.write_to_buffer(format.suffix, **options)
    if format is Format.PNG:
        return png.with_chunks(data, metadata.chunks, dropped=() if metadata.dpi else (b"pHYs",))
    if format is Format.TIFF:
        return tiff.with_tags(data, metadata.exif, metadata.geography)
    if format is Format.JPEG and metadata.dpi:
        return _with_density(data, metadata.dpi)
    return data


def refuse_loss(picture: Picture, format: Format, scale: int = 1) -> None:
    """Raise UnsupportedImage or ImageTooLarge for what a kind of file cannot hold of an enlarged picture."""
    height, width = (side * scale for side in picture.pixels.shape[:2])
    refuse_shape(format, height, width, alpha=picture.alpha is not None)
    icc = picture.metadata.icc
    if format in (Format.WEBP, Format.AVIF) and picture.pixels.shape[2] == 1 and icc and icc[16:20] == _GREY_PROFILE:
        raise UnsupportedImage(
            f"{format.label} stores grey as RGB, to which this picture's grey colour profile does not apply. "
            "Ask for PNG, TIFF or JPEG.",
            format=format,
        )
    if format is not Format.PNG and icc is None:
        _refuse_numbers(picture.metadata.chunks)


def _refuse_numbers(chunks: tuple[png.Chunk, ...]) -> None:
    """Raise UnsupportedImage for what a PNG says of its colours by numbers."""
    gamma, words = png.unusual_gamma(chunks), png.unusual_colours(chunks)
    if gamma is not None:
        raise UnsupportedImage(f"Only a PNG can hold this picture's gamma of {gamma}. Ask for PNG.", gamma=gamma)
    if words:
        raise UnsupportedImage(f"Only a PNG can hold this picture's colours, with {words}. Ask for PNG.", colours=words)


def refuse_shape(format: Format, height: int, width: int, *, alpha: bool) -> None:
    """Raise UnsupportedImage or ImageTooLarge for sides or transparency that a kind of file cannot hold."""
    allowed = _MAX_SIDE.get(format)
    if allowed and max(height, width) > allowed:
        raise ImageTooLarge(
            f"{width:,} x {height:,} pixels do not go into a {format.label}, whose sides end at {allowed:,}. "
            "Ask for PNG or TIFF.",
            found=max(height, width),
            allowed=allowed,
        )
    if format is Format.JPEG and alpha:
        raise UnsupportedImage("JPEG holds no transparency. Ask for PNG, WebP, TIFF or AVIF.", format=format)


def stored_depth(picture: Picture, format: Format) -> int:
    """Bits per value in a kind of file."""
    if picture.depth == 8 or format in (Format.JPEG, Format.WEBP):
        return 8
    if format is Format.AVIF:
        return min(picture.depth, 12)
    return 16


def _to_image(picture: Picture, depth: int) -> pyvips.Image:
    height, width, channels = picture.pixels.shape
    bands = channels + (picture.alpha is not None)
    values = np.empty((height, width, bands), dtype=np.uint8 if depth == 8 else np.uint16)
    for top in range(0, height, _ROWS_AT_ONCE):  # no second picture in float
        rows = np.s_[top : top + _ROWS_AT_ONCE]
        values[rows, :, :channels] = as_stored(picture.pixels[rows], depth)
        if picture.alpha is not None:
            values[rows, :, -1] = as_stored(picture.alpha[rows], depth)
    image = pyvips.Image.new_from_memory(values.data, width, height, bands, "uchar" if depth == 8 else "ushort")
    grey, colour = ("b-w", "srgb") if depth == 8 else ("grey16", "rgb16")
    return image.copy(interpretation=grey if channels == 1 else colour)


def as_stored(values: NDArray[np.float32], depth: int) -> NDArray[np.float32]:
    """0..1 to stored values; 10 and 12 bits lie at the upper end of 16."""
    steps: NDArray[np.float32] = np.rint(np.clip(values, 0, 1) * ((1 << depth) - 1))
    return steps * (1 << (16 - depth)) if 8 < depth < 16 else steps


def kept(metadata: Metadata, keep: Keep) -> Metadata:
    """What is written of the metadata; see `encode`."""
    if keep == "all":
        return metadata
    if keep == "none":
        return Metadata(icc=metadata.icc, chunks=tuple(chunk for chunk in metadata.chunks if chunk[0] in png.COLOUR))
    located = metadata.xmp is not None and xmp.names_place(metadata.xmp)
    return Metadata(
        icc=metadata.icc,
        exif=metadata.exif and exif.without_location(metadata.exif),
        xmp=None if located else metadata.xmp,
        dpi=metadata.dpi,
        chunks=png.without_texts(metadata.chunks),
    )


def of_size(metadata: Metadata, width: int, height: int) -> Metadata:
    """The same metadata of a picture with these sides; EXIF and XMP told those before turning or enlarging."""
    return replace(
        metadata,
        exif=metadata.exif and exif.of_size(metadata.exif, width, height),
        xmp=metadata.xmp and xmp.of_size(metadata.xmp, width, height),
    )


def _with_metadata(image: pyvips.Image, metadata: Metadata) -> pyvips.Image:
    across, down = metadata.dpi or UNKNOWN_DPI
    image = image.copy(xres=across / _MM_PER_INCH, yres=down / _MM_PER_INCH)
    blobs = {"icc-profile-data": metadata.icc, "exif-data": metadata.exif}
    blobs |= {"xmp-data": metadata.xmp, "iptc-data": metadata.iptc}
    for field, value in blobs.items():
        if value is not None:
            image.set_type(pyvips.GValue.blob_type, field, value)
    image.set_type(pyvips.GValue.gint_type, "orientation", 1)  # applied already; the tag in EXIF is rewritten
    return image


def _with_density(jpeg: bytes, dpi: tuple[float, float]) -> bytes:
    """With a JFIF header behind the start marker: the library writes the resolution into EXIF only."""
    across, down = (min(max(round(value), 1), 65_535) for value in dpi)
    return jpeg[:2] + struct.pack(">HH5sHBHHBB", 0xFFE0, 16, b"JFIF\0", 0x0102, 1, across, down, 0, 0) + jpeg[2:]


def _options(
    format: Format, *, depth: int, quality: int, chroma: Chroma, lossless: bool, big: bool
) -> dict[str, object]:
    """The library's options for one kind of file."""
    subsample = "off" if chroma == "4:4:4" else "on"
    match format:
        case Format.JPEG:
            return {"Q": quality, "subsample_mode": subsample, "optimize_coding": True}
        case Format.PNG:
            return {"bitdepth": depth, "compression": 3, "filter": "paeth"}
        case Format.WEBP if lossless:  # here Q is effort; `exact`: colours under full transparency are pixels too
            return {"lossless": True, "exact": True, "Q": 25, "effort": 0}
        case Format.WEBP:
            return {"Q": quality, "smart_subsample": True, "exact": True}
        case Format.TIFF:
            return {"compression": "lzw", "predictor": "horizontal", "bigtiff": big}
        case Format.AVIF:
            return {"compression": "av1", "Q": quality, "bitdepth": depth, "subsample_mode": subsample, "effort": 2}
