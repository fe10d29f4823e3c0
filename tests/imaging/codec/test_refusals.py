"""What is not taken is refused by name, before anything is decoded."""

from __future__ import annotations

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import pyvips
from PIL import ExifTags, Image

from imaging.codec import Limits, decode, probe
from imaging.codec.preview import preview
from imaging.codec.tiff import exif
from imaging.errors import BadImage, ImageTooLarge, PictureError, UnsupportedImage


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"Dear sir,\nplease find my picture attached.\n", "This is text, not a picture. Taken are JPEG, PNG, WebP"),
        (bytes(range(1, 200)), "no kind of picture known"),
        (b"GIF89a" + b"\0" * 20, "GIF"),
        (b"BM" + b"\0" * 60, "BMP; save it as PNG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"8BPS\0\1", "Photoshop"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isomavc1", "film"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"II*\0\x10\0\0\0CR\2\0" + b"\0" * 40, "raw file"),
        (b"PK\x03\x04" + b"\0" * 40, "archive"),
    ],
)
def test_a_file_that_is_no_picture_of_ours_is_refused_by_name(data, words):
    with pytest.raises(UnsupportedImage, match=words):
        probe(data)
    with pytest.raises(UnsupportedImage, match=words):
        decode(data)


@pytest.mark.parametrize(("format", "mode", "words"), [
    ("JPEG", "CMYK", "JPEG is in CMYK"),
    ("TIFF", "CMYK", "TIFF is in CMYK"),
    ("TIFF", "F", "float values, which have no fixed white"),
    ("TIFF", "I", "int values"),
])  # fmt: skip
def test_pixels_that_would_need_a_conversion_are_refused_by_name(saved, format, mode, words):
    with pytest.raises(UnsupportedImage, match=words):
        decode(saved(Image.new(mode, (8, 8)), format))


def channels_tiff(bands, **options):
    image = pyvips.Image.new_from_memory(bytes(8 * 8 * bands), 8, 8, bands, "uchar")
    return image.copy(interpretation="multiband").tiffsave_buffer(**options)


def with_extra_samples(saved, meaning, before=None):
    """An RGBA TIFF whose fourth channel is said to mean something else (0: unspecified, 1: associated alpha)."""
    image = Image.new("RGBA", (8, 8))
    data = saved(before, "TIFF", save_all=True, append_images=[image]) if before else saved(image, "TIFF")
    entry = struct.pack("<HHI", 338, 3, 1)
    assert data.count(entry) == 1
    at = data.index(entry) + len(entry)
    return data[:at] + struct.pack("<H", meaning) + data[at + 2 :]


def test_a_fourth_channel_that_is_not_transparency_is_refused(saved):
    assert decode(with_extra_samples(saved, 2)).alpha is not None
    with pytest.raises(UnsupportedImage, match="4 channels of which only 3 are colours"):
        decode(with_extra_samples(saved, 0))
    with pytest.raises(UnsupportedImage, match="5 channels"):
        decode(channels_tiff(5))


@pytest.mark.parametrize(("meaning", "words"), [(0, "only 3 are colours"), (1, "straight")])
def test_a_later_page_is_refused_for_its_own_channels(saved, meaning, words):
    data = with_extra_samples(saved, meaning, before=Image.new("RGB", (8, 8)))
    assert decode(data, frame=0).alpha is None
    with pytest.raises(UnsupportedImage, match=words):
        decode(data, frame=1)
    assert decode(with_extra_samples(saved, 2, before=Image.new("RGB", (8, 8))), frame=1).alpha is not None


def test_transparency_multiplied_into_the_colours_is_refused(saved):
    with pytest.raises(UnsupportedImage, match="straight"):
        decode(with_extra_samples(saved, 1))


def frames(saved, format):
    first, *rest = (Image.new("RGB", (8, 8), (80 * n, 0, 0)) for n in range(3))
    return saved(first, format, save_all=True, append_images=rest, **({"lossless": True} if format == "WEBP" else {}))


@pytest.mark.parametrize(
    ("format", "words"),
    [("WEBP", "3 frames"), ("TIFF", "3 pages"), ("PNG", "3 frames"), ("AVIF", "several frames")],
)
def test_several_frames_are_refused_unless_one_is_asked_for(saved, format, words):
    data = frames(saved, format)
    with pytest.raises(UnsupportedImage, match=words):
        decode(data)
    assert decode(data, frame=0).pixels.shape == (8, 8, 3)
    assert decode(data, frame=0).pixels.max() < 0.02
    with pytest.raises(UnsupportedImage, match="no frame 7"):
        decode(data, frame=7)


@pytest.mark.parametrize("format", ["WEBP", "TIFF"])
def test_a_later_frame_is_given_on_request(saved, format):
    picture = decode(frames(saved, format), frame=2)
    assert np.rint(picture.pixels[0, 0] * 255).tolist() == [160, 0, 0]


def test_a_pyramid_is_one_picture_and_a_preview_in_front_is_none(saved):
    image = pyvips.Image.black(600, 500, bands=3).copy(interpretation="srgb")
    data = image.tiffsave_buffer(tile=True, pyramid=True)
    assert probe(data).frames == 1
    with pytest.raises(UnsupportedImage, match="begins with a preview"):
        decode(saved(Image.new("RGB", (8, 8)), "TIFF", tiffinfo={254: 1}))
    with pytest.raises(UnsupportedImage, match="DNG"):
        decode(saved(Image.new("RGB", (8, 8)), "TIFF", tiffinfo={50706: b"\1\4\0\0"}))


def test_each_limit_is_held_and_named(saved, photo, icc):
    data = saved(photo, "PNG", icc_profile=icc)
    for limits, words in (
        (Limits(max_bytes=100), "bytes; at most 100 are taken"),
        (Limits(max_pixels=1000), "1,924 pixels; at most 1,000"),
        (Limits(max_side=40), "52 pixels a side; at most 40"),
        (Limits(max_profile_bytes=10), "colour profile has .* at most 10"),
    ):
        with pytest.raises(ImageTooLarge, match=words) as caught:
            decode(data, limits)
        assert caught.value.facts["allowed"] < caught.value.facts["found"]
    with pytest.raises(ImageTooLarge, match="3 frames"):
        decode(frames(saved, "TIFF"), Limits(max_frames=2), frame=0)


def test_the_page_that_is_asked_for_is_held_to_the_limits_not_the_first(saved):
    small, large = Image.new("RGB", (8, 8)), Image.new("RGB", (300, 200))
    data = saved(small, "TIFF", save_all=True, append_images=[large])
    for read in (decode, lambda data, limits, frame: preview(data, 20, limits, frame=frame)):
        for limits, words in ((Limits(max_pixels=1000), "60,000 pixels"), (Limits(max_side=100), "300 pixels a side")):
            read(data, limits, frame=0)
            with pytest.raises(ImageTooLarge, match=words):
                read(data, limits, frame=1)
            read(saved(large, "TIFF", save_all=True, append_images=[small]), limits, frame=1)


def test_a_huge_picture_in_a_small_file_is_refused_from_its_header():
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    assert (probe(bomb).width, probe(bomb).height) == (60_000, 60_000)
    with pytest.raises(ImageTooLarge, match="3,600,000,000 pixels"):
        decode(bomb)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_file_cut_short_anywhere_is_an_error_and_never_half_a_picture(saved, format):
    noise = np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    data = saved(noise, format)
    for length in [*range(1, 64, 7), *range(64, len(data) - 64, len(data) // 23)]:
        with pytest.raises(PictureError) as caught:
            decode(data[:length])
        assert str(caught.value).endswith((".", "damaged")) or ":" in str(caught.value)


def test_damaged_bytes_never_end_in_anything_but_a_picture_or_an_error(saved, photo):
    random = np.random.default_rng(2)
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        data = saved(photo, format)
        for _ in range(40):
            damaged = bytearray(data)
            for at in random.integers(0, len(data), 8):
                damaged[at] = random.integers(0, 256)
            try:
                picture = decode(bytes(damaged), Limits(max_pixels=100_000))
            except PictureError:
                continue
            assert np.isfinite(picture.pixels).all()


def test_an_error_that_quotes_bytes_which_are_no_text_is_one_pictures_alone(saved, photo):
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    damaged = saved(photo, "AVIF", exif=turned).replace(b"irot", b"i\xffot")  # the codec names the property
    good, padded = saved(photo, "PNG"), saved(photo, "JPEG")[:-2] + bytes(16) + b"\xff\xd9"
    for read in (decode, probe, lambda data: preview(data, 20)):
        with pytest.raises(BadImage, match="AVIF cannot be read: heif: "):
            read(damaged)
        assert decode(good).pixels.shape == decode(padded).pixels.shape == photo.shape
        with pytest.raises(BadImage, match=r"PNG is damaged or cut short: (?!.*heif)"):
            decode(good[: len(good) // 2])


@pytest.mark.parametrize(("progressive", "noticed"), [(False, 1.0), (True, 0.7)])
def test_a_jpeg_with_damaged_blocks_is_refused_wherever_its_decoder_notices(saved, progressive, noticed):
    rows, columns = np.mgrid[0:120, 0:160]
    smooth = np.stack([columns, rows, (rows + columns) // 2], axis=-1).astype(np.uint8)
    data = saved(smooth, "JPEG", quality=90, progressive=progressive)
    refused = []
    for at in np.linspace(data.index(b"\xff\xda") + 14, len(data) - 60, 12).astype(int):
        for damaged in (data[:at] + bytes(40) + data[at + 40 :], data[:at] + data[at + 25 :]):
            try:
                decode(damaged)
            except BadImage as error:
                refused.append(str(error))
    assert len(refused) >= noticed * 24
    assert all(words.startswith("This JPEG is damaged") or "cannot be read" in words for words in refused)


@pytest.mark.parametrize("progressive", [False, True])
def test_bytes_around_a_jpegs_end_mark_cost_no_pixel_and_are_no_damage(saved, photo, progressive):
    data = saved(photo, "JPEG", progressive=progressive)
    whole = decode(data).pixels
    for padded in (data[:-2] + bytes(16) + data[-2:], data + bytes(100), data + data[-2:]):
        assert np.array_equal(decode(padded).pixels, whole)


def test_a_tiff_whose_directories_run_in_a_circle_is_an_error(saved):
    data = bytearray(saved(Image.new("L", (4, 4)), "TIFF"))
    first = int.from_bytes(data[4:8], "little")
    end = first + 2 + 12 * int.from_bytes(data[first : first + 2], "little")
    data[end : end + 4] = data[4:8]
    with pytest.raises(BadImage, match="circle"):
        decode(bytes(data))


def overlapping(count, entry=bytes(12)):
    """A TIFF of `count` directories, each of 65,535 entries, that all lie over one another."""
    tail = 8 + 2 + 65_535 * 12
    data = bytearray(entry * -(-(tail + 6 * count + 4) // 12))
    data[:8] = b"II*\0" + struct.pack("<I", 8)
    for at in range(8, 8 + 6 * count, 6):
        struct.pack_into("<H", data, at, 65_535)
        struct.pack_into("<I", data, at - 8 + tail, at + 6 if at + 6 < 8 + 6 * count else 0)
    return bytes(data)


def small_directories(count):
    offsets = [*range(14, 8 + 6 * count, 6), 0]
    return b"II*\0\x08\0\0\0" + b"".join(struct.pack("<HI", 0, offset) for offset in offsets)


def one_directory(number, kind, values, count=4000):
    """Entries of one tag, whose values are all the same bytes."""
    entry = struct.pack("<HHII", number, kind, values, 8)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", count) + entry * count + bytes(4)


@pytest.mark.parametrize("data", [overlapping(50), small_directories(20_000), one_directory(254, 1, 40_000)])
def test_a_tiff_of_more_directories_or_values_than_a_picture_has_is_refused_before_they_are_read(data):
    tracemalloc.start()
    try:
        with pytest.raises(BadImage, match="its directories hold more than any picture's do"):
            probe(data)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_directories_of_exif_that_contain_one_another_are_left_out():
    assert exif(one_directory(ExifTags.IFD.Exif, 4, 1, count=30)) is None


def test_a_directory_that_lies_beyond_the_end_of_any_file_is_damage(photo):
    image = pyvips.Image.new_from_array(photo).copy(interpretation="srgb")
    data = image.tiffsave_buffer(bigtiff=True)
    (first,) = struct.unpack_from("<Q", data, 8)
    end = first + 8 + 20 * struct.unpack_from("<Q", data, first)[0]
    for place in (8, end):
        damaged = bytearray(data)
        struct.pack_into("<Q", damaged, place, 2**63)
        with pytest.raises(BadImage, match="directory at byte 9,223,372,036,854,775,808 does not lie in the file"):
            decode(bytes(damaged))
    damaged = bytearray(data)
    struct.pack_into("<HHQQ", damaged, end - 20, ExifTags.IFD.Exif, 16, 1, 2**63)  # in place of the last tag
    assert decode(bytes(damaged)).metadata.exif is None
