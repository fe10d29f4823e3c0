from __future__ import annotations

import time

import httpx
import pytest

from unseam.upload import PIECE_BYTES, Upload


def test_all_pieces_come_as_often_as_they_are_asked_for() -> None:
    data = b"ab" * PIECE_BYTES + b"c"
    upload = Upload(data)
    assert [b"".join(upload) for _ in range(2)] == [data, data]
    assert [len(piece) for piece in upload] == [PIECE_BYTES, PIECE_BYTES, 1]


def test_a_picture_is_out_only_with_its_last_piece() -> None:
    upload = Upload(b"ab" * PIECE_BYTES)
    pieces = iter(upload)
    next(pieces)
    assert not upload.out
    next(pieces)
    assert upload.out


def test_nothing_goes_out_after_the_deadline() -> None:
    upload = Upload(b"a")
    upload.deadline = time.monotonic() - 1
    with pytest.raises(httpx.WriteTimeout):
        list(upload)
