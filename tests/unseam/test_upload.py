from __future__ import annotations

import time

import httpx
import pytest

from unseam.original import PIECE_BYTES, Original
from unseam.upload import Upload


def test_all_pieces_come_as_often_as_they_are_asked_for() -> None:
    data = b"ab" * PIECE_BYTES + b"c"
    upload = Upload(Original(data))
    assert [b"".join(upload) for _ in range(2)] == [data, data]
    assert [len(piece) for piece in upload] == [PIECE_BYTES, PIECE_BYTES, 1]


def test_a_picture_is_out_only_with_its_last_piece() -> None:
    upload = Upload(Original(b"ab" * PIECE_BYTES))
    pieces = iter(upload)
    assert not upload.under_way
    next(pieces)
    assert (upload.under_way, upload.out) == (True, False)
    next(pieces)
    assert (upload.under_way, upload.out) == (False, True)


def test_nothing_goes_out_after_the_deadline() -> None:
    upload = Upload(Original(b"a"))
    upload.deadline = time.monotonic() - 1
    with pytest.raises(httpx.WriteTimeout):
        list(upload)
