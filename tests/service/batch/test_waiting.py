from __future__ import annotations

import pytest

from service.batch import waiting


def test_a_long_wait_is_told_of_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [0.0], list[str]()
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    tell = waiting.Waiting(said.append, 3600)
    for now[0] in (0.0, 8.0, 59.9, 60.0, 100.0, 125.0):
        tell(RuntimeError("full"), 7.2)
    assert said[1:] == ["full (trying again in 8 s)"] * 2


@pytest.mark.parametrize(("patience_s", "words"), [(30, "30 s"), (3600, "60 minutes")])
def test_the_first_line_says_how_long_it_may_take_and_how_to_end_it(patience_s: float, words: str) -> None:
    said = list[str]()
    waiting.Waiting(said.append, patience_s)(RuntimeError("full"), 7.2)
    assert said == [f"full (trying again for up to {words}; Ctrl-C ends that, --patience 0 does not wait)"]
