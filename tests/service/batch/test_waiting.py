from __future__ import annotations

import pytest

from service.batch import waiting


def test_a_long_wait_is_told_of_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [0.0], list[str]()
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    tell = waiting.Waiting(said.append)
    for now[0] in (0.0, 8.0, 59.9, 60.0, 100.0, 125.0):
        tell(RuntimeError("full"), 7.2)
    assert said == ["full (trying again in 8 s)"] * 3
