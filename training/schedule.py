"""Where a run stands: its share done decides learning rate and crop size. Pure."""

from __future__ import annotations

import math

from training.recipe import Phase, Schedule


def share_done(schedule: Schedule, step: int, elapsed_s: float, limit_s: float | None) -> float:
    """Share 0..1 of the run that is done: by steps, or by time if there is a limit and it is nearer."""
    by_time = elapsed_s / limit_s if limit_s else 0.0
    return min(max(step / schedule.steps, by_time), 1.0)


def learning_rate(schedule: Schedule, step: int, share: float) -> float:
    """Learning rate of a step: linear warm-up times a cosine to `lr_last`."""
    cosine = 0.5 * (1 + math.cos(math.pi * share))
    return min(step / schedule.warmup_steps, 1.0) * (schedule.lr_last + (schedule.lr - schedule.lr_last) * cosine)


def phase(schedule: Schedule, share: float) -> Phase:
    """Crop size and batch of the share of the run that is done."""
    return next((phase for phase in schedule.phases if share < phase.until), schedule.phases[-1])
