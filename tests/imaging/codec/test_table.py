"""The tables of docs/pictures.md are what the codec does."""

from __future__ import annotations

from picture_table import DOCUMENT, came_back, filled, turned, were_refused


def test_the_document_says_what_the_codec_does():
    text = DOCUMENT.read_text()
    assert filled(text) == text, "docs/pictures.md is stale: python tests/imaging/support/picture_table.py"


def test_no_kind_that_is_taken_loses_anything():
    for row in came_back():
        assert not {"CHANGED", "NO", "equal, alpha changed"} & set(row), row


def test_every_kind_that_is_not_taken_is_refused_in_words():
    for sent, words in were_refused():
        assert words.endswith((".", "damaged")), sent


def test_every_orientation_comes_back_upright():
    for row in turned():
        assert set(row[1:]) == {"upright, tag 1"}, row
