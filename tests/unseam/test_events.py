from __future__ import annotations

import pytest

from unseam.events import Lines


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_pieces_of_any_size_give_the_same_events(size: int) -> None:
    stream = 'event: progress\ndata: {"a": "é"}\n\n: ping\n\r\ndata:{}\r\n\r\ndata: never whole'.encode()
    lines = Lines()
    found = [data for at in range(0, len(stream), size) for data in lines.data(stream[at : at + size])]
    assert [data.strip().decode() for data in found] == ['{"a": "é"}', "{}"]
