from __future__ import annotations

import io
import itertools
import re

import pytest

from service.batch.progress import Bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, screen: io.StringIO, pictures: int) -> str:
    clock = itertools.count()
    monkeypatch.setattr("tqdm.std.time", lambda: float(next(clock)))  # each look at it is a second later
    monkeypatch.setattr("sys.stderr", screen)
    with Bars(pictures) as bars:
        for name in [f"{n}.png" for n in range(pictures)]:
            bars.begin(name)
            for done in range(5):
                bars.advance(done, 4)
            bars.end()
    return screen.getvalue()


def test_a_terminal_sees_tiles_with_rate_and_time_left_and_all_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = shown(monkeypatch, Terminal(), pictures=2)
    assert "0.png:  50%" in screen
    assert re.search(r"2/4 \[00:\d\d<00:\d\d, +\d.*(tile/s|s/tile)\]", screen)
    assert "pictures: 100%" in screen
    assert "2/2 [" in screen


def test_one_picture_has_no_bar_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = shown(monkeypatch, Terminal(), pictures=1)
    assert "0.png: 100%" in screen
    assert "pictures" not in screen


def test_a_file_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, io.StringIO(), pictures=2) == ""
