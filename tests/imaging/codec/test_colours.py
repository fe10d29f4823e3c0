"""Colours that are told by numbers come back, or are refused; they are never taken for sRGB."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import PngImagePlugin

from imaging.codec import Format, decode, encode, probe
from imaging.errors import UnsupportedImage

SRGB = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
DISPLAY_P3 = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def avif(saved, photo, primaries, transfer, **options):
    data = saved(photo, "AVIF", **options)
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


@pytest.mark.parametrize(
    ("primaries", "transfer", "words"),
    [
        (9, 16, r"primaries BT.2020 and curve PQ \(HDR\)"),
        (1, 18, r"have curve HLG"),
        (12, 13, "have primaries Display P3, which would be lost"),
        (22, 13, "primaries 22"),
    ],
)
@pytest.mark.parametrize("alpha", [False, True])
def test_an_avif_of_other_colours_than_srgb_is_refused(saved, photo, primaries, transfer, words, alpha):
    data = avif(saved, photo, primaries, transfer, mode="RGBA" if alpha else None)
    for read in (probe, decode):
        with pytest.raises(UnsupportedImage, match=words):
            read(data)


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 13), (2, 2), (1, 1), (1, 6)])
def test_an_avif_of_the_usual_colours_is_taken(saved, photo, primaries, transfer):
    assert decode(avif(saved, photo, primaries, transfer)).pixels.shape == photo.shape


def test_what_an_avif_says_by_numbers_of_another_picture_inside_it_or_beside_a_profile_is_nothing(saved, photo, icc):
    if b"colrnclx" in (profiled := saved(photo, "AVIF", icc_profile=icc)):
        profiled = avif(saved, photo, 9, 16, icc_profile=icc)
    assert decode(profiled).metadata.icc == icc
    data = bytearray(avif(saved, photo, 9, 16, mode="RGBA"))
    at = data.index(b"ipma") + 4
    associated = bytes(data[at:])
    assert associated[8:15] == bytes([0, 1, 4, 1, 2, 0x83, 4])  # the picture: four properties, the last its colours
    data[at + 14] = 1
    assert decode(bytes(data)).pixels.shape == photo.shape


def png(saved, photo, **chunks):
    texts = PngImagePlugin.PngInfo()
    for kind, body in chunks.items():
        texts.add(kind.encode(), body)
    return decode(saved(photo, "PNG", pnginfo=texts))


@pytest.mark.parametrize(
    ("chunks", "words"),
    [
        ({"cICP": bytes([9, 16, 0, 1])}, r"primaries BT.2020 and curve PQ \(HDR\)"),
        ({"cHRM": struct.pack(">8I", *DISPLAY_P3)}, "primaries of its own"),
        ({"cHRM": struct.pack(">8I", *SRGB), "cICP": bytes([12, 13, 0, 1])}, "primaries Display P3"),
    ],
)
@pytest.mark.parametrize("format", [format for format in Format if format is not Format.PNG])
def test_colours_that_only_a_png_can_tell_stay_in_a_png(saved, photo, chunks, words, format):
    picture = png(saved, photo, **chunks)
    with pytest.raises(UnsupportedImage, match=f"Only a PNG can hold this picture's colours, with {words}"):
        encode(picture, format=format)
    assert dict(decode(encode(picture)).metadata.chunks) == {kind.encode(): body for kind, body in chunks.items()}


@pytest.mark.parametrize(
    "chunks",
    [
        {"cICP": bytes([1, 13, 0, 1])},
        {"cHRM": struct.pack(">8I", *SRGB)},
        {"cHRM": struct.pack(">8I", *(np.array(SRGB) + 10))},
        {"cHRM": struct.pack(">8I", *DISPLAY_P3), "cICP": bytes([1, 13, 0, 1])},
        {"cHRM": struct.pack(">8I", *DISPLAY_P3), "sRGB": b"\0"},
        {"cHRM": b"damaged"},
    ],
)
def test_usual_colours_told_by_numbers_go_into_any_kind_of_file(saved, photo, chunks):
    assert encode(png(saved, photo, **chunks), format=Format.JPEG)


def test_beside_a_profile_the_numbers_do_not_count(saved, photo, icc):
    texts = PngImagePlugin.PngInfo()
    texts.add(b"cHRM", struct.pack(">8I", *DISPLAY_P3))
    picture = decode(saved(photo, "PNG", pnginfo=texts, icc_profile=icc))
    assert decode(encode(picture, format=Format.JPEG)).metadata.icc == icc
