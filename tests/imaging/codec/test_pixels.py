"""Pixels of every kind of file come back as they were."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import pyvips
from picture_samples import GREY_PROFILE
from PIL import Image

from imaging.codec import Format, Metadata, decode, encode, probe
from imaging.errors import ImageTooLarge, UnsupportedImage

RANDOM = np.random.default_rng(5)


def vips(array, interpretation, **_):
    """16-bit files are written with the codec's own library: PIL knows no 16-bit colour."""
    height, width, bands = array.shape
    kind = "uchar" if array.dtype == np.uint8 else "ushort"
    image = pyvips.Image.new_from_memory(array.tobytes(), width, height, bands, kind)
    return image.copy(interpretation=interpretation)


def lossless_files(saved):
    sixteen = RANDOM.integers(0, 65536, (19, 23, 4), dtype=np.uint16)
    eight = RANDOM.integers(0, 256, (19, 23, 4), dtype=np.uint8)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = Image.fromarray(eight).convert(mode)
        yield f"png {mode}", saved(image, "PNG"), 8
        yield f"tiff {mode}", saved(image, "TIFF"), 8
        yield f"tiff {mode} lzw", saved(image, "TIFF", compression="tiff_lzw"), 8
    yield "webp RGB", saved(eight[..., :3], "WEBP", lossless=True), 8
    yield "webp RGBA", saved(eight, "WEBP", lossless=True, exact=True), 8
    for bits in (1, 2, 4):
        palette = Image.fromarray(eight[..., 0] % 2**bits).convert("P")
        palette.putpalette(range(3 * 2**bits))
        yield f"png palette {bits}", saved(palette, "PNG", bits=bits), 8
    yield "png palette with transparency", saved(palette, "PNG", transparency=3), 8
    for bands, kind in ((1, "grey16"), (2, "grey16"), (3, "rgb16"), (4, "rgb16")):
        image = vips(sixteen[..., :bands].copy(), kind)
        yield f"png 16 bit {bands}", image.pngsave_buffer(), 16
        yield f"tiff 16 bit {bands}", image.tiffsave_buffer(), 16
    yield "png interlaced", vips(eight, "srgb").pngsave_buffer(interlace=True), 8
    yield "tiff tiled", vips(eight, "srgb").tiffsave_buffer(tile=True, tile_width=16, tile_height=16), 8
    yield "tiff big", vips(eight, "srgb").tiffsave_buffer(bigtiff=True), 8
    yield "tiff pyramid", vips(eight, "srgb").tiffsave_buffer(tile=True, pyramid=True, subifd=False), 8
    yield "tiff of another byte order", _big_endian_grey(eight[..., 0]), 8


def _big_endian_grey(values):
    """A TIFF as film scanners write it: Motorola byte order, uncompressed, one strip."""
    height, width = values.shape
    entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    entries.append((279, values.size))
    directory = len(entries).to_bytes(2, "big")
    for tag, value in entries:
        directory += tag.to_bytes(2, "big") + b"\0\4" + b"\0\0\0\1" + value.to_bytes(4, "big")
    pixels = values.tobytes() + b"\0" * (values.size % 2)
    return b"MM\0*" + (8 + len(pixels)).to_bytes(4, "big") + pixels + directory + b"\0\0\0\0"


def test_a_lossless_file_of_every_kind_comes_back_with_equal_pixels(saved):
    for name, data, depth in lossless_files(saved):
        picture = decode(data)
        again = decode(encode(picture))
        assert np.array_equal(picture.pixels, again.pixels), name
        assert (picture.alpha is None) == (again.alpha is None), name
        assert picture.alpha is None or np.array_equal(picture.alpha, again.alpha), name
        assert picture.format == again.format == probe(data).format, name
        assert picture.depth == again.depth == depth, name
        assert picture.pixels.shape[2] == probe(encode(picture)).channels == probe(data).channels, name


def test_decoded_values_are_those_that_another_library_reads(saved, opened):
    for name, data, depth in lossless_files(saved):
        if depth == 16 or name == "tiff LA":
            continue
        picture = decode(data)
        mode = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA"}
        expected = np.array(opened(data).convert(mode[picture.pixels.shape[2], picture.alpha is not None]))
        expected = expected.reshape(*expected.shape[:2], -1)
        channels = picture.pixels.shape[2]
        assert np.array_equal(np.rint(picture.pixels * 255), expected[..., :channels]), name
        assert picture.alpha is None or np.array_equal(np.rint(picture.alpha * 255), expected[..., -1]), name


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_every_16_bit_value_survives(kind):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    image = vips(values, "grey16")
    data = image.pngsave_buffer() if kind == "png" else image.tiffsave_buffer()
    picture = decode(data)
    assert picture.pixels.min() == 0
    assert picture.pixels.max() == 1
    again = pyvips.Image.new_from_buffer(encode(picture), "")
    assert np.array_equal(again.numpy().reshape(values.shape), values)


@pytest.mark.parametrize(("bits", "white"), [(10, 1.0), (12, 1.0)])
def test_an_avif_of_10_or_12_bits_keeps_them_and_its_white_is_white(bits, white):
    grey = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64, 1).repeat(3, axis=2)
    data = vips(grey, "rgb16").heifsave_buffer(compression="av1", bitdepth=bits, Q=100, subsample_mode="off")
    picture = decode(data)
    again = decode(encode(picture, quality=100))
    assert probe(data).depth == picture.depth == again.depth == bits
    assert picture.pixels.max() == pytest.approx(white, abs=2e-3)
    assert np.abs(again.pixels - picture.pixels).max() < 8 / 2**bits


def test_a_white_is_zero_tiff_is_not_inverted(saved, opened):
    image = Image.fromarray(np.eye(16, dtype=np.uint8) * 255)
    data = saved(image, "TIFF", tiffinfo={262: 0})
    assert np.array_equal(np.rint(decode(data).pixels[..., 0] * 255), np.array(opened(data).convert("L")))


@pytest.mark.parametrize(("options", "mode"), [({}, "RGB"), ({"progressive": True}, "RGB"), ({}, "L")])
def test_a_jpeg_is_decoded_as_others_do_and_encoded_in_full_colour_resolution(photo, saved, opened, options, mode):
    data = saved(photo, "JPEG", mode, quality=95, subsampling=0, **options)
    picture = decode(data)
    expected = np.array(opened(data)).reshape(*photo.shape[:2], -1)
    assert picture.pixels.shape == expected.shape
    assert np.abs(picture.pixels * 255 - expected).max() <= 1.001
    written = encode(picture)
    assert opened(written).mode == mode
    assert all(layer[1:3] == (1, 1) for layer in opened(written).layer)
    assert np.sqrt(np.mean(np.square(decode(written).pixels - picture.pixels))) * 255 < 2.5


def test_quality_and_colour_resolution_are_given_on_request(photo, saved, opened):
    picture = decode(saved(photo, "PNG"))
    small, large = (encode(picture, format=Format.JPEG, quality=quality) for quality in (30, 95))
    assert len(small) < len(large)
    assert len(large) == len(encode(picture, format=Format.JPEG))
    assert opened(encode(picture, format=Format.JPEG, chroma="4:2:0")).layer[0][1:3] == (2, 2)
    for quality in (0, 101):
        with pytest.raises(ValueError, match=f"1 to 100, not {quality}"):
            encode(picture, quality=quality)


def test_a_webp_stays_lossy_or_lossless(photo, saved):
    exact, lossy = saved(photo, "WEBP", lossless=True), saved(photo, "WEBP", quality=80)
    assert (probe(exact).lossless, probe(lossy).lossless) == (True, False)
    assert probe(encode(decode(exact))).lossless
    assert not probe(encode(decode(lossy))).lossless
    assert not probe(encode(decode(exact), quality=80)).lossless


@pytest.mark.parametrize("format", list(Format))
def test_any_picture_is_given_as_any_kind_that_can_hold_it(photo, saved, opened, format):
    data = encode(decode(saved(photo, "PNG")), format=format)
    assert probe(data).format is format
    assert (probe(data).width, probe(data).height) == (52, 37)
    assert opened(data).size == (52, 37)


def test_a_kind_that_cannot_hold_the_picture_is_refused(photo, saved):
    see_through = decode(saved(photo, "PNG", "RGBA"))
    with pytest.raises(UnsupportedImage, match="JPEG holds no transparency"):
        encode(see_through, format=Format.JPEG)
    grey = decode(saved(photo, "PNG", "L", icc_profile=GREY_PROFILE))
    for format in (Format.WEBP, Format.AVIF):
        assert probe(encode(replace(grey, metadata=Metadata()), format=format)).channels == 3
        with pytest.raises(UnsupportedImage, match=r"grey as RGB.* Ask for PNG, TIFF or JPEG"):
            encode(grey, format=format)
    long = decode(saved(np.zeros((1, 20_000), np.uint8), "PNG"))
    with pytest.raises(ImageTooLarge, match="20,000 x 1 pixels do not go into a WebP, whose sides end at 16,383"):
        encode(long, format=Format.WEBP)


def test_values_outside_the_range_are_clipped_not_wrapped(photo, saved):
    picture = decode(saved(photo, "PNG"))
    overshoot = picture.restored((picture.pixels - 0.5) * 4)
    assert np.array_equal(decode(encode(overshoot)).pixels == 1, overshoot.pixels >= 254.5 / 255)


def test_a_single_pixel_is_a_picture():
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1), (1, 2, 3)).save(buffer, "PNG")
    assert np.array_equal(np.rint(decode(buffer.getvalue()).pixels * 255), [[[1, 2, 3]]])
