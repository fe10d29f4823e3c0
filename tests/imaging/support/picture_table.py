"""Write the tables of docs/pictures.md: `python tests/imaging/support/picture_table.py`.

What they say is what the codec does with the real files of `picture_samples`; a test fails where the document says
something else.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import picture_samples as samples
from PIL import ExifTags, Image

from imaging.codec import Format, decode, encode, probe
from imaging.errors import PictureError
from imaging.quality import psnr

DOCUMENT = Path(__file__).parents[3] / "docs" / "pictures.md"
AS_CLOSE_AS_IT_GETS_DB = 34  # noise-like colours at quality 95


def came_back():
    """A row for each kind that is taken: what comes back, how its pixels differ, and what it still carries."""
    for sent, data in samples.taken():
        picture = decode(data)
        answer = encode(picture)
        had, has = carried(data), carried(answer)
        kept = [("yes" if has[what] == had[what] else "NO") if had[what] else "" for what in had]
        yield sent, kind(answer), compared(picture, decode(answer)), *kept


def kind(data):
    header = probe(data)
    colours = ("grey" if header.channels == 1 else "RGB") + (" and alpha" if header.alpha else "")
    exactly = ", lossless" if header.format is Format.WEBP and header.lossless else ""
    return f"{header.format.label}, {header.depth} bits, {colours}{exactly}"


def compared(before, after):
    if np.array_equal(before.pixels, after.pixels):
        alpha = before.alpha is None or np.array_equal(before.alpha, after.alpha)
        return "equal" if alpha else "equal, alpha changed"
    close = psnr(before.pixels, after.pixels) > AS_CLOSE_AS_IT_GETS_DB
    return "as of quality 95" if close else "CHANGED"


def carried(data):
    """Profile, EXIF, XMP and resolution as another library reads them."""
    with Image.open(io.BytesIO(data)) as image:
        tags, info = image.getexif(), image.info
        camera = tags.get(ExifTags.Base.Make)
        resolution = info.get("dpi") or (tags.get(ExifTags.Base.XResolution), tags.get(ExifTags.Base.YResolution))
        stated = all(resolution) and resolution != (1, 1)  # what the library says of a TIFF that states none
        xmp = info.get("xmp") or getattr(image, "text", {}).get("XML:com.adobe.xmp", "")
        return {
            "profile": info.get("icc_profile"),
            "EXIF": camera and (camera, tags.get_ifd(ExifTags.IFD.GPSInfo).get(1)),
            "XMP": (xmp.encode() if isinstance(xmp, str) else xmp).strip(b"\0 \n"),
            "resolution": tuple(round(float(side)) for side in resolution) if stated else None,
        }


def were_refused():
    """A row for each kind that is not taken: the error's own words."""
    for sent, data in samples.refused():
        try:
            encode(decode(data))
        except PictureError as error:
            yield sent, str(error)
        else:
            yield sent, "TAKEN"


def turned():
    """A row for each EXIF orientation: how each kind of file comes back."""
    upright = samples.photo()
    for orientation in range(1, 9):
        stored = Image.fromarray(upright).transpose(UNDO[orientation]) if orientation > 1 else Image.fromarray(upright)
        yield str(orientation), *(_upright(stored, upright, orientation, format) for format in TURNED)


TURNED = {"PNG": {}, "TIFF": {}, "WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
TRANSPOSE = Image.Transpose
UNDO = {  # from upright to how a camera of this orientation stores it
    2: TRANSPOSE.FLIP_LEFT_RIGHT,
    3: TRANSPOSE.ROTATE_180,
    4: TRANSPOSE.FLIP_TOP_BOTTOM,
    5: TRANSPOSE.TRANSPOSE,
    6: TRANSPOSE.ROTATE_90,
    7: TRANSPOSE.TRANSVERSE,
    8: TRANSPOSE.ROTATE_270,
}


def _upright(stored, upright, orientation, format):
    data = samples.plain(stored, format, exif=samples.exif(orientation), **TURNED[format])
    answer = encode(decode(data), quality=100 if format == "JPEG" else None)
    with Image.open(io.BytesIO(answer)) as image:
        tag = image.getexif().get(ExifTags.Base.Orientation, 1)
        same = image.size == (samples.WIDTH, samples.HEIGHT) and _distance(np.asarray(image), upright) < 1
    return f"upright, tag {tag}" if same else "WRONG"


def _distance(one, other):
    return float(np.abs(one.astype(int) - other).mean())


def converted():
    """A row for each kind of pixels: what every other kind of file makes of it."""
    for sent, data in (
        ("8 bits, grey", samples.plain(samples.photo(1)[..., 0], "PNG")),
        ("8 bits, grey, profile", samples.described(samples.photo(1), ".png")),
        ("8 bits, RGB", samples.described(samples.photo(), ".png")),
        ("8 bits, RGB and alpha", samples.described(samples.photo(4), ".png")),
        ("16 bits, RGB", samples.described(samples.photo(3, 16), ".png")),
        ("16 bits, RGB and alpha", samples.described(samples.photo(4, 16), ".png")),
    ):
        yield sent, *(_asked_as(decode(data), format) for format in Format)


def _asked_as(picture, format):
    try:
        return kind(encode(picture, format=format)).partition(", ")[2]
    except PictureError:
        return "refused"


def stripped():
    """A row for each thing a JPEG can carry: whether it is there with each value of `keep`."""
    tags = samples.exif()
    located = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>1</exif:GPSLatitude></x:xmpmeta>'
    for what, packet, mark in (
        ("Colour profile", samples.XMP, samples.WIDE_GAMUT[:100]),
        ("Camera, time (EXIF)", samples.XMP, b"Maker"),
        ("Place (EXIF)", samples.XMP, None),
        ("XMP that names no place", samples.XMP, b"<note/>"),
        ("XMP that names a place", located, b"GPSLatitude"),
    ):
        options = {"icc_profile": samples.WIDE_GAMUT, "exif": tags, "xmp": packet, "dpi": (300, 300)}
        picture = decode(samples.plain(samples.photo(), "JPEG", **options))
        yield what, *(_found(encode(picture, keep=keep), mark) for keep in ("all", "no-location", "none"))


def _found(data, mark):
    if mark is not None:
        return "kept" if mark in data else "left out"
    with Image.open(io.BytesIO(data)) as image:
        return "kept" if image.getexif().get_ifd(ExifTags.IFD.GPSInfo) else "left out"


TABLES = {
    "taken": (came_back, ("sent", "comes back", "pixels", "profile", "EXIF", "XMP", "resolution")),
    "refused": (were_refused, ("sent", "the answer's words")),
    "orientation": (turned, ("EXIF orientation", *(Format(format.lower()).label for format in TURNED))),
    "converted": (converted, ("a PNG of", *(f"`format={format}`" for format in Format))),
    "stripped": (stripped, ("a JPEG's", "`keep=all`", "`keep=no-location`", "`keep=none`")),
}


def filled(text):
    """The document with every table made anew."""
    for mark, (rows, head) in TABLES.items():
        opening, closing = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
        before, rest = text.split(opening)
        lines = [head, ["---"] * len(head), *rows()]
        text = before + opening + "".join(f"| {' | '.join(line)} |\n" for line in lines) + closing
        text += rest.split(closing)[1]
    return text


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text()))
