"""Pictures read and written by rows are those that are read and written whole."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ExifTags, Image

from imaging.codec import Format, Limits, Metadata, decode, encode
from imaging.codec.streams import Reader
from imaging.codec.streams import write as write_rows
from imaging.errors import BadImage, ImageTooLarge

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><note/></x:xmpmeta>'


def exif(orientation=1):
    tags = Image.Exif()
    tags[ExifTags.Base.Make] = "Maker"
    tags[ExifTags.Base.Orientation] = orientation
    tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    return tags


def rewritten(source, target, rows=7, **options):
    """From file to file, `rows` rows at a time."""
    reader = Reader(source)
    height, width, channels = reader.header.height, reader.header.width, reader.header.channels
    parts = (reader.rows(top, min(top + rows, height)) for top in range(0, height, rows))
    sides = {"width": width, "height": height, "channels": channels}
    write_rows(target, parts, **sides, depth=reader.header.depth, metadata=reader.metadata, **options)
    return target.read_bytes()


def noise(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype)


@pytest.mark.parametrize("shape", [(300, 517, 3), (256, 256, 3), (511, 40), (1, 1, 3)])
@pytest.mark.parametrize("format", ["TIFF", "PNG"])
def test_rows_make_the_same_picture_as_the_whole(tmp_path, saved, shape, format):
    source = tmp_path / "in"
    source.write_bytes(saved(noise(*shape), format))
    written = decode(rewritten(source, tmp_path / "out.tif"))
    assert np.array_equal(written.pixels, decode(source.read_bytes()).pixels)
    assert written.depth == 8


def test_sixteen_bits_stay_sixteen(tmp_path, saved):
    source = tmp_path / "in"
    source.write_bytes(saved(noise(300, 40, dtype=np.uint16), "PNG"))
    written = decode(rewritten(source, tmp_path / "out.tif"))
    assert written.depth == 16
    assert np.array_equal(written.pixels, decode(source.read_bytes()).pixels)


@pytest.mark.parametrize("big", [False, True])
def test_metadata_is_that_of_a_picture_written_whole(tmp_path, photo, saved, opened, icc, big, monkeypatch):
    if big:
        monkeypatch.setattr("imaging.codec.streams.CLASSIC_TIFF_BYTES", 0)
    source = tmp_path / "in"
    source.write_bytes(saved(photo, "JPEG", exif=exif().tobytes(), icc_profile=icc, dpi=(300, 200), xmp=XMP))
    data = rewritten(source, tmp_path / "out.tif")
    assert data[2] == (43 if big else 42)
    with opened(data) as image:
        assert image.tag_v2[322] == 256  # in tiles
        assert np.array_equal(np.array(image), np.array(opened(source.read_bytes())))
    whole = encode(decode(source.read_bytes()), format=Format.TIFF)
    ours, theirs = decode(data).metadata, decode(whole).metadata
    assert (ours.icc, ours.xmp, ours.dpi) == (theirs.icc, theirs.xmp, theirs.dpi)
    assert (
        opened(data).getexif().get_ifd(ExifTags.IFD.GPSInfo)
        == opened(whole).getexif().get_ifd(ExifTags.IFD.GPSInfo)
        != {}
    )
    bare = decode(rewritten(source, tmp_path / "bare.tif", keep="none")).metadata
    assert (bare.exif, bare.xmp, bare.icc) == (None, None, icc)


def test_what_is_cut_short_or_over_the_limits_is_refused(tmp_path, saved):
    source = tmp_path / "in"
    data = saved(noise(900, 100, 3), "PNG")
    source.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadImage, match="cut short"):
        rewritten(source, tmp_path / "out.tif")
    with pytest.raises(ImageTooLarge):
        Reader(source, Limits(max_pixels=1000))


def test_a_fault_in_the_rows_is_the_writers(tmp_path):
    def rows():
        yield np.zeros((300, 10, 3), np.float32)
        raise KeyboardInterrupt

    sides = {"width": 10, "height": 900, "channels": 3}
    with pytest.raises(KeyboardInterrupt):
        write_rows(tmp_path / "out.tif", rows(), **sides, depth=8, metadata=Metadata())


def test_turned_pictures_and_transparency_need_the_whole(tmp_path, photo, saved):
    source = tmp_path / "in"
    source.write_bytes(saved(photo, "JPEG", exif=exif(6)))
    assert not Reader(source).by_rows
    source.write_bytes(saved(Image.fromarray(photo).convert("RGBA"), "PNG"))
    assert not Reader(source).by_rows
    source.write_bytes(saved(photo, "PNG"))
    assert Reader(source).by_rows
