from __future__ import annotations

import pytest

from training.recipe import Phase, Schedule
from training.schedule import learning_rate, phase, share_done

SCHEDULE = Schedule(
    steps=1000,
    lr=1e-3,
    lr_last=1e-6,
    warmup_steps=100,
    phases=(Phase(until=0.7, patch=128, batch=4), Phase(until=1.0, patch=256, batch=1)),
)


def test_the_rate_warms_up_and_ends_at_its_last_value() -> None:
    assert learning_rate(SCHEDULE, 50, 0.0) == pytest.approx(5e-4)
    assert learning_rate(SCHEDULE, 100, 0.0) == pytest.approx(1e-3)
    assert learning_rate(SCHEDULE, 1000, 1.0) == pytest.approx(1e-6)


def test_a_time_limit_moves_the_schedule_on_when_steps_are_slow() -> None:
    assert share_done(SCHEDULE, 100, 50.0, None) == pytest.approx(0.1)
    assert share_done(SCHEDULE, 100, 50.0, 100.0) == pytest.approx(0.5)
    assert share_done(SCHEDULE, 2000, 0.0, None) == 1


def test_crops_grow_by_the_phases() -> None:
    assert phase(SCHEDULE, 0.5).patch == 128
    assert phase(SCHEDULE, 0.7).patch == 256
    assert phase(SCHEDULE, 1.0).patch == 256
