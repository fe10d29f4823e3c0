from __future__ import annotations

import os
from pathlib import Path

import pytest

from export import cores


@pytest.fixture(autouse=True)
def _a_machine_of_eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def test_a_process_that_is_free_is_confined_to_nothing(tmp_path: Path) -> None:
    assert cores.confined(tmp_path) is None


def test_affinity_confines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5})
    assert cores.confined(tmp_path) == 2
    assert cores.usable() <= 2


@pytest.mark.parametrize(
    ("text", "allowed"), [("200000 100000\n", 2), ("150000 100000\n", 2), ("1000 100000\n", 1), ("max 100000\n", None)]
)
def test_a_containers_quota_confines(tmp_path: Path, text: str, allowed: int | None) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert cores.confined(tmp_path) == allowed


def test_the_older_form_of_quota_confines(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("300000\n")
    assert cores.confined(tmp_path) == 3
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert cores.confined(tmp_path) is None
