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
            advance = bars.begin(name)
            for done in range(5):
                advance(done, 4)
            bars.end(name)
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


def test_several_under_way_share_the_bar_of_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count()
    monkeypatch.setattr("tqdm.std.time", lambda: float(next(clock)))
    monkeypatch.setattr("sys.stderr", screen := Terminal())
    with Bars(3) as bars:
        first, second = bars.begin("a.png"), bars.begin("b.png")
        first(1, 4)
        second(2, 4)
        bars.end("a.png")
        second(4, 4)
        bars.end("b.png")
        bars.begin("c.png")(1, 10)
        bars.end("c.png")
    assert re.search(r"a\.png and 1 more: .* 3/8 \[", screen.getvalue())
    assert re.search(r"b\.png: .* 5/8 \[", screen.getvalue())
    assert re.search(r"c\.png: .* 1/10 \[", screen.getvalue())
