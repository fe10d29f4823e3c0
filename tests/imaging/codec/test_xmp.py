from __future__ import annotations

import pytest

from imaging.codec.xmp import names_place, of_size, upright


def packet(properties):
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {properties}/></x:xmpmeta>'.encode()


@pytest.mark.parametrize(
    "properties",
    [
        'photoshop:City="Vienna"',
        'ps:State = "Texas"',
        'photoshop:Country="Austria"',
        'Iptc4xmpCore:Location="Herrengasse 3"',
        'Iptc4xmpCore:CountryCode="AT"',
        "><Iptc4xmpExt:LocationShown/><x",
        '><City xmlns="http://ns.adobe.com/photoshop/1.0/">Vienna</City><x',
        'exif:GPSLatitude="48,12.5N"',
        'drone-dji:GpsLongtitude="16.37"',
        'geo:lat="48.2"',
        'dc:coverage="Vienna"',
    ],
)
def test_a_packet_with_a_property_of_places_names_one(properties):
    assert names_place(packet(properties))


@pytest.mark.parametrize(
    "properties",
    [
        'xmpRights:WebStatement="https://example.org"',
        'crs:Opacity="1"',
        'dc:title="A walk"',
        'xmlns:photoshop="http://x"',
    ],
)
def test_a_packet_without_one_does_not(properties):
    assert not names_place(packet(properties))
    assert not names_place(packet(properties) + bytes(10))


def test_a_packet_of_wide_characters_is_taken_to_name_one():
    assert names_place(packet('dc:title="A walk"').decode().encode("utf-16"))


def test_numbers_are_replaced_where_they_stand_and_nothing_else():
    told = b"<a tiff:Orientation='8' tiff:ImageLength=\"30\" x:OrientationNote='8'><exif:PixelXDimension> 20 <"
    assert upright(told) == told.replace(b"n='8'", b"n='1'", 1)
    assert of_size(told, 7, 1000) == told.replace(b'"30"', b'"1000"').replace(b"> 20 <", b"> 7 <")
