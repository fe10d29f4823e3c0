"""Orientation is applied once; profile, EXIF, XMP, resolution, gamma and texts come back."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from imaging.codec import Format, decode, encode, png, probe
from imaging.errors import UnsupportedImage

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><note/></x:xmpmeta>'
LOCATED_XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>1</exif:GPSLatitude></x:xmpmeta>'
HOLD_EXIF = ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"]

# What each EXIF orientation does to a picture held upright, so that undoing it is what a viewer does.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


def exif(orientation=1):
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Maker"
    tags[ExifTags.Base.Orientation] = orientation
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2020:01:02 03:04:05"
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = b"secret\0note"
    tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return tags


def described(format, packet):
    """EXIF and XMP as PIL is told to write them; XMP in a PNG has a test of its own."""
    tags = exif()
    if format == "TIFF":
        tags[ExifTags.Base.XMLPacket] = packet
    return {"exif": tags.tobytes()} | ({"xmp": packet} if format in ("JPEG", "WEBP", "AVIF") else {})


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_orientation_is_applied_once_and_then_gone(photo, saved, opened, format, orientation):
    turned = np.ascontiguousarray(STORED[orientation](photo))
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(format, {})
    data = saved(turned, format, exif=exif(orientation), **options)
    header = probe(data)
    assert (header.width, header.height, header.orientation) == (52, 37, orientation)
    picture = decode(data)
    tolerance = 4 if format == "JPEG" else 0
    assert np.abs(np.rint(picture.pixels * 255) - photo).max() <= tolerance
    written = encode(picture, quality=100 if format == "JPEG" else None)
    assert opened(written).size == (52, 37)
    assert opened(written).getexif().get(ExifTags.Base.Orientation, 1) == 1
    assert np.abs(decode(written).pixels - picture.pixels).max() * 255 <= tolerance


@pytest.mark.parametrize("format", HOLD_EXIF)
def test_exif_xmp_and_profile_are_kept(photo, saved, opened, icc, format):
    data = saved(photo, format, icc_profile=icc, **described(format, XMP))
    written = opened(encode(decode(data)))
    tags = written.getexif()
    assert tags[ExifTags.Base.Make] == "Maker"
    assert tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2020:01:02 03:04:05"
    assert tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] == b"secret\0note"
    assert tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert written.info["icc_profile"] == icc
    assert format == "PNG" or written.info["xmp"].strip(b"\0 \n") == XMP


def test_a_tiff_keeps_profile_and_resolution(photo, saved, opened, icc):
    written = opened(encode(decode(saved(photo, "TIFF", icc_profile=icc, dpi=(300, 150)))))
    assert written.info["icc_profile"] == icc
    assert written.info["dpi"] == pytest.approx((300, 150), abs=0.01)


def geo_tiff(saved, photo):
    tags = {33550: (0.5, 0.5, 0.0), 33922: (10.0, 20.0, 0.0, 4.5, 51.0, 0.0), 34735: (1, 1, 0, 0)}
    return saved(photo, "TIFF", tiffinfo=tags | {50844: tuple(map(float, range(92)))})


def test_a_tiff_keeps_its_place_on_the_map_also_when_enlarged(photo, saved, opened):
    picture = decode(geo_tiff(saved, photo))
    tags = opened(encode(picture)).tag_v2
    assert (tags[33550], tags[33922], tags[34735]) == ((0.5, 0.5, 0), (10, 20, 0, 4.5, 51, 0), (1, 1, 0, 0))
    twice = picture.restored(picture.pixels.repeat(2, axis=0).repeat(2, axis=1))
    tags = opened(encode(twice)).tag_v2
    assert (tags[33550], tags[33922]) == ((0.25, 0.25, 0), (20, 40, 0, 4.5, 51, 0))
    assert tags[50844][:4] == (0, 1, 4.5, 6.5)
    assert not {33550, 50844} & set(opened(encode(picture, keep="no-location")).tag_v2)


@pytest.mark.parametrize("big", [False, True])
def test_exif_of_a_jpeg_survives_the_way_through_a_tiff_and_back(photo, saved, opened, big, monkeypatch):
    if big:
        monkeypatch.setattr("imaging.codec.encoding.CLASSIC_TIFF_BYTES", 0)
    tiff = encode(decode(saved(photo, "JPEG", exif=exif())), format=Format.TIFF)
    assert (tiff[2] == 43) is big
    tags = opened(encode(decode(tiff), format=Format.JPEG)).getexif()
    assert tags[ExifTags.Base.Make] == "Maker"
    assert tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] == "2020:01:02 03:04:05"
    assert tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert np.array_equal(np.array(opened(tiff)), np.rint(decode(tiff).pixels * 255))


def test_a_png_keeps_its_xmp(photo, saved, opened):
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    written = opened(encode(decode(saved(photo, "PNG", pnginfo=texts))))
    assert written.text["XML:com.adobe.xmp"] == XMP.decode()


def measured(width, height, orientation=1):
    """EXIF and XMP that tell a size, twice each, and an orientation."""
    tags = exif(orientation)
    tags[ExifTags.Base.ImageWidth], tags[ExifTags.Base.ImageLength] = width, height
    inner = tags.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.ExifImageWidth], inner[ExifTags.Base.ExifImageHeight] = width, height
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:D tiff:Orientation="{orientation}" tiff:ImageWidth="{width}" ' + (
        f'exif:PixelYDimension = "{height}"><exif:PixelXDimension>{width}</exif:PixelXDimension></r:D></x:xmpmeta>'
    )
    return tags, packet.encode()


@pytest.mark.parametrize("format", HOLD_EXIF)
def test_exif_and_xmp_tell_the_size_and_orientation_of_the_picture_they_are_in(saved, opened, photo, format):
    tags, packet = measured(52, 37, orientation=6)
    if format == "TIFF":
        tags[ExifTags.Base.XMLPacket] = packet
    if format == "AVIF":  # turned by a property of its own
        tags[ExifTags.Base.Orientation] = 1
    data = saved(photo, format, exif=tags.tobytes(), **({"xmp": packet} if format in ("JPEG", "WEBP") else {}))
    picture = decode(data)
    twice = picture.restored(picture.pixels.repeat(2, axis=0).repeat(2, axis=1))
    written = opened(encode(twice))
    width, height = (104, 74) if format == "AVIF" else (74, 104)
    assert written.size == (width, height)
    told = written.getexif()
    inner = told.get_ifd(ExifTags.IFD.Exif)
    assert (told.get(ExifTags.Base.ImageWidth, width), told.get(ExifTags.Base.ImageLength, height)) == written.size
    assert (inner[ExifTags.Base.ExifImageWidth], inner[ExifTags.Base.ExifImageHeight]) == written.size
    if "xmp" in written.info:
        assert written.info["xmp"].strip(b"\0 \n") == measured(width, height)[1]


def test_a_profile_crosses_over_to_another_kind_of_file(photo, saved, opened, icc):
    picture = decode(saved(photo, "PNG", icc_profile=icc))
    for format in Format:
        assert opened(encode(picture, format=format)).info["icc_profile"] == icc


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_resolution_is_kept_and_none_is_made_up(photo, saved, opened, format):
    written = opened(encode(decode(saved(photo, format, dpi=(300, 150)))))
    assert written.info["dpi"] == pytest.approx((300, 150), abs=0.1)
    assert "dpi" not in opened(encode(decode(saved(photo, format)))).info


@pytest.mark.parametrize("format", HOLD_EXIF)
def test_the_resolution_in_exif_is_kept_too(photo, saved, opened, format):
    tags = exif()
    tags[ExifTags.Base.XResolution], tags[ExifTags.Base.YResolution], tags[ExifTags.Base.ResolutionUnit] = 300, 150, 2
    written = opened(encode(decode(saved(photo, format, exif=tags)))).getexif()
    assert written[ExifTags.Base.XResolution] == pytest.approx(300, abs=0.1)
    assert written[ExifTags.Base.YResolution] == pytest.approx(150, abs=0.1)


@pytest.mark.parametrize("format", HOLD_EXIF)
def test_no_exif_is_made_up(photo, saved, opened, format):
    tags = opened(encode(decode(saved(photo, format)))).getexif()
    assert not tags.get_ifd(ExifTags.IFD.Exif)
    assert ExifTags.Base.Make not in tags


def test_png_gamma_primaries_and_texts_are_kept(photo, saved, opened):
    texts = PngImagePlugin.PngInfo()
    texts.add(b"gAMA", (100_000).to_bytes(4, "big"))
    texts.add(b"cHRM", b"".join(v.to_bytes(4, "big") for v in (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)))
    texts.add_text("Title", "Rain over Ghent")
    texts.add_itxt("Comment", "vor und nach dem Regen", zip=True)
    picture = decode(saved(photo, "PNG", pnginfo=texts))
    written = opened(encode(picture))
    written.load()
    assert written.info["gamma"] == 1
    assert written.info["chromaticity"] == (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
    assert (written.text["Title"], written.text["Comment"]) == ("Rain over Ghent", "vor und nach dem Regen")
    assert np.array_equal(np.array(written), photo)
    with pytest.raises(UnsupportedImage, match="Only a PNG can hold this picture's gamma of 1"):
        encode(picture, format=Format.JPEG)


@pytest.mark.parametrize("format", HOLD_EXIF)
def test_where_it_was_taken_or_all_metadata_can_be_left_out_but_not_the_profile(photo, saved, opened, icc, format):
    picture = decode(saved(photo, format, icc_profile=icc, **described(format, LOCATED_XMP)))
    placeless, bare = (opened(encode(picture, keep=keep)) for keep in ("no-location", "none"))
    assert not placeless.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    assert placeless.getexif()[ExifTags.Base.Make] == "Maker"
    assert "xmp" not in placeless.info
    assert ExifTags.Base.Make not in bare.getexif()
    assert "xmp" not in bare.info
    assert b"Maker" not in encode(picture, keep="none")
    assert placeless.info["icc_profile"] == bare.info["icc_profile"] == icc


def test_texts_of_a_png_are_left_out_with_the_place_for_they_may_name_it(photo, saved, opened):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "taken at 48.2 N 16.37 E")
    texts.add_text("Raw profile type exif", "\nexif\n      8\n4750534c61746974", zip=True)
    texts.add_itxt("Title", "Herrengasse 3")
    texts.add(b"tIME", bytes([7, 228, 1, 2, 3, 4, 5]))
    texts.add(b"gAMA", (45_455).to_bytes(4, "big"))
    picture = decode(saved(photo, "PNG", pnginfo=texts))
    kinds = {kind for kind, _ in png.chunks(encode(picture, keep="no-location"))}
    assert {b"tIME", b"gAMA"} <= kinds
    assert not {b"tEXt", b"zTXt", b"iTXt"} & kinds
    assert b"48.2 N" in encode(picture)
