"""A real file of every kind of picture, most with all the metadata that their kind can carry."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
import pyvips
from PIL import ExifTags, Image, PngImagePlugin

HEIGHT, WIDTH = 37, 52
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><note/></x:xmpmeta>'
WIDE_GAMUT = bytes(pyvips.Operation.call("profile_load", "p3"))
GREY_PROFILE = WIDE_GAMUT[:16] + b"GRAY" + WIDE_GAMUT[20:]  # what the libraries look at

Sample = tuple[str, bytes]


def photo(bands=3, depth=8):
    """A picture in which no row, column or corner is like another; the fourth band is soft-edged transparency."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    edge = np.clip(40 * (14 - np.hypot(rows - 18, columns - 26)), 0, 255)
    planes = np.stack([rows * 6 % 256, columns * 4 % 256, rows * columns % 256, edge], axis=-1)
    chosen = planes[..., {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[bands]]
    return (chosen * 257 if depth == 16 else chosen).astype(np.uint16 if depth == 16 else np.uint8)


def exif(orientation=1):
    """Camera, time, place and orientation."""
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Maker"
    tags[ExifTags.Base.Orientation] = orientation
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2020:01:02 03:04:05"
    tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return tags


def described(array, suffix, **options):
    """Saved with profile, EXIF, XMP and a resolution of 300 dpi."""
    bands, deep = array.shape[2], array.dtype == np.uint16
    image = pyvips.Image.new_from_memory(array.tobytes(), WIDTH, HEIGHT, bands, "ushort" if deep else "uchar")
    grey, colour = ("grey16", "rgb16") if deep else ("b-w", "srgb")
    image = image.copy(interpretation=grey if bands < 3 else colour, xres=300 / 25.4, yres=300 / 25.4)
    blobs = {"exif-data": b"Exif\0\0" + exif().tobytes().removeprefix(b"Exif\0\0"), "xmp-data": XMP}
    blobs["icc-profile-data"] = WIDE_GAMUT if bands >= 3 else GREY_PROFILE
    for field, value in blobs.items():
        image.set_type(pyvips.GValue.blob_type, field, value)
    return image.write_to_buffer(suffix, **options)


def plain(image, format, **options):
    """Saved with another library, pixels alone unless the options say more."""
    buffer = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(buffer, format, **options)
    return buffer.getvalue()


def with_gamma(gamma):
    chunks = PngImagePlugin.PngInfo()
    chunks.add(b"gAMA", round(gamma * 100_000).to_bytes(4, "big"))
    return plain(photo(), "PNG", pnginfo=chunks)


def damaged(data):
    """Zeros where the last fifth begins, behind every header."""
    at = len(data) * 4 // 5
    return data[:at] + bytes(40) + data[at + 40 :]


def taken() -> Iterator[Sample]:
    """(what is sent, bytes) of kinds that come back."""
    yield "JPEG, baseline", described(photo(), ".jpg", Q=90, subsample_mode="off")
    yield "JPEG, baseline, 4:2:0", described(photo(), ".jpg", Q=90, subsample_mode="on")
    yield "JPEG, progressive", described(photo(), ".jpg", Q=90, interlace=True)
    yield "JPEG, grey", described(photo(1), ".jpg", Q=90)
    yield "JPEG with zeros between data and end mark", _padded(plain(photo(), "JPEG", progressive=True))
    for bits in (1, 2, 4):
        grey = pyvips.Image.new_from_memory(photo(1).tobytes(), WIDTH, HEIGHT, 1, "uchar").copy(interpretation="b-w")
        yield f"PNG, {bits} bit{'s'[: bits > 1]}, grey", grey.pngsave_buffer(bitdepth=bits)
    yield "PNG, 8 bits, grey", described(photo(1), ".png")
    yield "PNG, 8 bits, grey and alpha", described(photo(2), ".png")
    yield "PNG, 8 bits", described(photo(), ".png")
    yield "PNG, 8 bits, alpha", described(photo(4), ".png")
    yield "PNG, 8 bits, interlaced", described(photo(), ".png", interlace=True)
    yield "PNG, 16 bits, grey", described(photo(1, 16), ".png")
    yield "PNG, 16 bits", described(photo(3, 16), ".png")
    yield "PNG, 16 bits, alpha", described(photo(4, 16), ".png")
    palette = Image.fromarray(photo()).quantize(16)
    yield "PNG, palette", plain(palette, "PNG")
    yield "PNG, palette, one colour transparent", plain(palette, "PNG", transparency=3)
    yield "PNG, gamma 1.0", with_gamma(1.0)
    yield "WebP, lossy", described(photo(), ".webp", Q=90)
    yield "WebP, lossy, alpha", described(photo(4), ".webp", Q=90)
    yield "WebP, lossless, alpha", described(photo(4), ".webp", lossless=True, exact=True)
    yield "TIFF, 8 bits, grey", described(photo(1), ".tif")
    yield "TIFF, 8 bits, LZW", described(photo(), ".tif", compression="lzw")
    yield "TIFF, 8 bits, alpha", described(photo(4), ".tif")
    yield "TIFF, 16 bits", described(photo(3, 16), ".tif")
    yield "TIFF, 16 bits, alpha", described(photo(4, 16), ".tif")
    yield "TIFF, tiled", described(photo(), ".tif", tile=True, tile_width=16, tile_height=16)
    yield "TIFF, tiled pyramid", described(photo(), ".tif", tile=True, tile_width=16, tile_height=16, pyramid=True)
    yield "TIFF, BigTIFF", described(photo(), ".tif", bigtiff=True)
    yield "TIFF, palette", plain(palette, "TIFF")
    yield "TIFF, white is zero", plain(Image.fromarray(photo(1)[..., 0]), "TIFF", tiffinfo={262: 0})
    yield "AVIF, 8 bits", described(photo(), ".avif", compression="av1", Q=90, effort=0)
    yield "AVIF, 8 bits, alpha", described(photo(4), ".avif", compression="av1", Q=90, effort=0)
    yield "AVIF, 10 bits", described(photo(3, 16), ".avif", compression="av1", Q=90, bitdepth=10, effort=0)
    yield "AVIF, 12 bits", described(photo(3, 16), ".avif", compression="av1", Q=90, bitdepth=12, effort=0)


def refused() -> Iterator[Sample]:
    """(what is sent, bytes) of kinds that are answered with an error."""
    rgb, frames = Image.fromarray(photo()), [Image.new("RGB", (8, 8), (80 * n, 0, 0)) for n in range(3)]
    several = {"save_all": True, "append_images": frames[1:]}
    yield "JPEG, CMYK", plain(rgb.convert("CMYK"), "JPEG")
    yield "JPEG, cut short", plain(rgb, "JPEG")[:-300]
    yield "JPEG, damaged in the middle", damaged(plain(rgb, "JPEG", progressive=False))
    yield "JPEG, progressive, damaged in the middle", damaged(plain(rgb, "JPEG", progressive=True))
    yield "PNG, damaged in the middle", damaged(plain(rgb, "PNG"))
    yield "PNG, animated", plain(frames[0], "PNG", **several)
    yield "WebP, animated", plain(frames[0], "WEBP", **several)
    yield "AVIF, animated", plain(frames[0], "AVIF", **several)
    yield "AVIF, HDR without a profile", _of_colours(plain(rgb, "AVIF"), primaries=9, transfer=16)
    yield "TIFF, several pages", plain(frames[0], "TIFF", **several)
    yield "TIFF, CMYK", plain(rgb.convert("CMYK"), "TIFF")
    yield "TIFF, floating point", plain(rgb.convert("F"), "TIFF")
    yield "TIFF, 32-bit integers", plain(rgb.convert("I"), "TIFF")
    yield "TIFF, a fourth channel of no stated meaning", _extra_sample(0)
    yield "TIFF, alpha multiplied into the colours", _extra_sample(1)
    yield "GIF", plain(rgb, "GIF")
    yield "BMP", plain(rgb, "BMP")
    yield "JPEG 2000", plain(rgb, "JPEG2000")
    yield "HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    yield "JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n"
    yield "Photoshop", b"8BPS\0\1" + bytes(20)
    yield "PDF", plain(rgb, "PDF")
    yield "DNG", plain(rgb, "TIFF", tiffinfo={50706: b"\1\4\0\0"})
    yield "Text", b"Dear sir,\nplease find my picture attached.\n"
    yield "Nothing", b""


def _padded(jpeg):
    return jpeg[:-2] + bytes(16) + jpeg[-2:]


def _of_colours(avif, primaries, transfer):
    at = avif.index(b"colrnclx") + 8
    return avif[:at] + struct.pack(">HH", primaries, transfer) + avif[at + 4 :]


def _extra_sample(meaning):
    data = plain(Image.fromarray(photo(4)), "TIFF")
    entry = struct.pack("<HHI", 338, 3, 1)
    at = data.index(entry) + len(entry)
    return data[:at] + struct.pack("<H", meaning) + data[at + 2 :]
