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


def pixels_or_refusal(make):
    try:
        return decode(make()).pixels
    except BadImage as error:
        return str(error)


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


@pytest.mark.parametrize("progressive", [False, True])
def test_a_damaged_jpeg_is_refused_as_when_it_is_read_whole(tmp_path, saved, progressive):
    rows, columns = np.mgrid[0:120, 0:160]
    smooth = np.stack([columns, rows, (rows + columns) // 2], axis=-1).astype(np.uint8)
    data = saved(smooth, "JPEG", quality=90, progressive=progressive)
    source, refused = tmp_path / "in", 0
    for at in np.linspace(data.index(b"\xff\xda") + 14, len(data) - 60, 12).astype(int):
        source.write_bytes(data[:at] + bytes(40) + data[at + 40 :])
        whole = pixels_or_refusal(source.read_bytes)
        by_rows = pixels_or_refusal(lambda: rewritten(source, tmp_path / "out.tif"))
        assert np.array_equal(whole, by_rows)
        refused += isinstance(whole, str)
    assert refused >= 8


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("shape", [(300, 70, 3), (300, 70)])
def test_bytes_before_a_jpegs_end_mark_cost_no_row(tmp_path, saved, shape, progressive):
    data = saved(noise(*shape), "JPEG", progressive=progressive)
    source = tmp_path / "in"
    source.write_bytes(data[:-2] + bytes(16) + data[-2:])
    written = decode(rewritten(source, tmp_path / "out.tif"))
    assert np.array_equal(written.pixels, decode(data).pixels)


def test_grey_in_three_channels_is_read_as_one_and_written_as_three(tmp_path, saved):
    source, pixels = tmp_path / "in", np.repeat(noise(600, 40, 1, dtype=np.uint8), 3, axis=2)
    for format in ("TIFF", "PNG"):
        source.write_bytes(saved(pixels, format))
        reader = Reader(source)
        assert (reader.header.channels, reader.channels, reader.rows(0, 9).shape) == (3, 1, (9, 40, 1))
        assert np.array_equal(
            decode(rewritten(source, tmp_path / "out.tif")).pixels, decode(saved(pixels, format)).pixels
        )
        for row in (0, 255, 599):
            coloured = pixels.copy()
            coloured[row, 39, 2] ^= 1
            source.write_bytes(saved(coloured, format))
            assert Reader(source).rows(0, 600).shape == (600, 40, 3)


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
