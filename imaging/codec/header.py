"""What a file's header says, and the limits it is held to before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyvips

from imaging.codec import avif, png, tiff, webp
from imaging.codec.code_points import unusual
from imaging.codec.signature import sniff
from imaging.errors import BadImage, ImageTooLarge, UnsupportedImage
from imaging.picture import Format

# The library keeps recent operations, and with them uploads and decoded pixels, in case they are asked for again.
pyvips.cache_set_max(0)

_strictly = pyvips.error._to_string


def _as_text(words: Any) -> str:
    """What the library says, which may quote a file's bytes; those that are no UTF-8 become U+FFFD."""
    try:
        return str(_strictly(words))
    except UnicodeDecodeError as error:
        return str(error.object, "utf-8", "replace")


# An error whose words cannot be read would stay in the library, and be taken for that of every later picture.
pyvips.error._to_string = _as_text

_LOADERS = {
    Format.JPEG: "jpegload",
    Format.PNG: "pngload",
    Format.WEBP: "webpload",
    Format.TIFF: "tiffload",
    Format.AVIF: "heifload",
}
_PAGED = {Format.WEBP, Format.TIFF}
_PROFILES = {"icc-profile-data": "colour profile", "exif-data": "EXIF", "xmp-data": "XMP", "iptc-data": "IPTC"}


@dataclass(frozen=True)
class Limits:
    """What is taken at most.

    Attributes:
        max_bytes: size of the file.
        max_pixels: width times height.
        max_side: width, and height.
        max_frames: frames or pages in the file, whether or not they are wanted.
        max_profile_bytes: each of colour profile, EXIF, XMP and IPTC.
    """

    max_bytes: int = 256 * 2**20
    max_pixels: int = 178_956_970
    max_side: int = 65_535
    max_frames: int = 1000
    max_profile_bytes: int = 16 * 2**20


@dataclass(frozen=True)
class Header:
    """What a file says of its picture.

    Attributes:
        format: the kind of file.
        width: pixels across, the picture held upright (EXIF orientation applied).
        height: pixels down, likewise.
        channels: 1 (grey) or 3 (colour); alpha is not counted.
        alpha: whether there is transparency.
        depth: bits per value, 1 to 16; a palette has 8.
        frames: 1, or how many an animation or a multipage file holds (0: an animation that does not say).
        lossless: whether the file holds its pixels exactly.
        orientation: EXIF orientation 1..8 as stored; 1 is upright.
    """

    format: Format
    width: int
    height: int
    channels: int
    alpha: bool
    depth: int
    frames: int
    lossless: bool
    orientation: int


def probe(data: bytes) -> Header:
    """Read the header only.

    Raises:
        UnsupportedImage: the kind of file or of picture is not taken.
        BadImage: the header is damaged.
    """
    return open_header(data)[0]


def open_header(data: bytes, frame: int = 0, path: Path | None = None, **options: Any) -> tuple[Header, pyvips.Image]:
    """The header, and the library's image whose pixels are not decoded before they are asked for.

    The library copies what it is given, so of a large file it is given the path.
    """
    format = sniff(data[:4096])
    facts = tiff.facts(data) if format is Format.TIFF else None
    if facts is not None:
        facts.refuse_other_channels(frame)
    if format in _PAGED and frame:
        options["page"] = frame if facts is None else facts.pages[frame]
    try:
        load = getattr(pyvips.Image, _LOADERS[format] + ("" if path else "_buffer"))
        image = load(str(path) if path else data, **{"fail_on": "error"} | options)
    except pyvips.Error as error:
        raise BadImage(f"This {format.label} cannot be read: {reason(error)}", format=format) from error
    _refuse_what_is_no_picture(format, image)
    if format is Format.AVIF and not image.get_typeof("icc-profile-data"):
        _refuse_other_colours(data)
    orientation = image.get("orientation") if image.get_typeof("orientation") else 1
    width, height = (image.height, image.width) if orientation >= 5 else (image.width, image.height)
    header = Header(
        format=format,
        width=width,
        height=height,
        channels=1 if image.bands < 3 else 3,
        alpha=image.hasalpha() != 0,
        depth=_depth(image),
        frames=_frames(format, data, image, facts),
        lossless=_lossless(format, data),
        orientation=orientation,
    )
    return header, image


def check(data: bytes, limits: Limits, frame: int | None, path: Path | None = None) -> None:
    """Hold a file, and the frame that is asked for, to the limits; nothing is decoded.

    Raises:
        ImageTooLarge: it is over one of the limits.
        UnsupportedImage: it has several frames and none was asked for, or the one asked for is not there.
        BadImage: the header is damaged.
    """
    _at_most("file", len(data), limits.max_bytes, "bytes")
    header, image = open_header(data, path=path)
    _at_most("file", header.frames, limits.max_frames, "frames")
    _refuse_frame(header, frame)
    if frame:  # pages have sides of their own
        header, image = open_header(data, frame, path=path)
    _at_most("picture", max(header.width, header.height), limits.max_side, "pixels a side")
    _at_most("picture", header.width * header.height, limits.max_pixels, "pixels")
    for field, name in _PROFILES.items():
        if image.get_typeof(field):
            _at_most(name, len(image.get(field)), limits.max_profile_bytes, "bytes")


def _refuse_frame(header: Header, frame: int | None) -> None:
    """Raise UnsupportedImage where no frame was asked for and there are several, or one that is not there."""
    if frame is None and header.frames != 1:
        kind = "pages" if header.format is Format.TIFF else "frames"
        count = header.frames or "several"
        raise UnsupportedImage(
            f"This {header.format.label} holds {count} {kind}; one picture at a time. Ask for one by number (frame=0).",
            frames=header.frames,
        )
    reachable = header.frames if header.format in _PAGED else 1
    if frame is not None and not 0 <= frame < reachable:
        raise UnsupportedImage(
            f"There is no frame {frame} to be had; this {header.format.label} has {reachable}, counted from 0.",
            frames=reachable,
        )


def reason(error: Exception) -> str:
    """The library's own words, one line, each sentence once.

    Left out is what says nothing more: where its loaders looked in vain, and, from whichever of its threads comes
    first, that loading failed.
    """
    lines = dict.fromkeys(line.strip() for line in str(error).splitlines()[1:])
    told = (line for line in lines if line and "bad seek to" not in line and not line.endswith(": load error"))
    return "; ".join(told)[:200] or "it is damaged"


def _at_most(what: str, found: int, allowed: int, unit: str) -> None:
    if found > allowed:
        raise ImageTooLarge(
            f"The {what} has {found:,} {unit}; at most {allowed:,} are taken.", found=found, allowed=allowed, unit=unit
        )


def _refuse_what_is_no_picture(format: Format, image: pyvips.Image) -> None:
    """Kinds of pixels whose restoration would need a conversion that nobody asked for."""
    name = format.label
    if image.interpretation == "cmyk":
        raise UnsupportedImage(f"This {name} is in CMYK, the inks of a press. Convert it to RGB first.", colours="cmyk")
    if image.format not in ("uchar", "ushort"):
        raise UnsupportedImage(
            f"This {name} holds {image.format} values, which have no fixed white. Convert it to 8 or 16 bits first.",
            values=image.format,
        )
    if image.bands > 4 or image.interpretation not in ("b-w", "grey16", "srgb", "rgb", "rgb16"):
        raise UnsupportedImage(
            f"This {name} holds {image.bands} channels ({image.interpretation}). Taken are grey and RGB, with or "
            "without transparency.",
            channels=image.bands,
        )


def _refuse_other_colours(data: bytes) -> None:
    """An AVIF's colour space, told by numbers, does not come back: its colours would be taken for sRGB's."""
    code_points = avif.code_points(data)
    if code_points and (words := unusual(*code_points)):
        raise UnsupportedImage(
            f"This AVIF's colours have {words}, which would be lost. Convert it to sRGB, or give it a colour profile.",
            code_points=code_points,
        )


def _depth(image: pyvips.Image) -> int:
    if image.get_typeof("palette") or not image.get_typeof("bits-per-sample"):
        return 8
    return int(image.get("bits-per-sample"))


def _frames(format: Format, data: bytes, image: pyvips.Image, facts: tiff.Facts | None) -> int:
    if format is Format.PNG:
        return png.frames(data)
    if facts is not None:
        return len(facts.pages)
    if format is Format.AVIF and data[8:12] == b"avis":
        return 0
    return int(image.get("n-pages")) if image.get_typeof("n-pages") else 1


def _lossless(format: Format, data: bytes) -> bool:
    if format is Format.WEBP:
        return webp.is_lossless(data)
    return format in (Format.PNG, Format.TIFF)
