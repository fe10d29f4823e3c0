from __future__ import annotations

import numpy as np

from benchmarks import sample
from benchmarks.sheets import CAPTION, GAP
from benchmarks.untouched import untouched
from models.registry import Card, cards


def test_the_sample_has_a_row_for_every_task_and_comes_out_the_same_twice() -> None:
    asked: list[str] = []

    def enlarge_or_fill(card: Card, degraded: sample.Array) -> sample.Array:
        asked.append(card.task)
        height, width = (side * card.scale for side in degraded.shape[:2])
        return untouched(degraded, np.zeros((height, width, 3), np.float32))[1]

    once, again = sample.sample(enlarge_or_fill), sample.sample(enlarge_or_fill)
    tasks = {card.task for card in cards()}
    assert sorted(asked) == sorted([*tasks, *tasks])
    assert once.height == GAP + len(tasks) * (CAPTION + sample.SHOWN_HEIGHT + GAP)
    assert once.tobytes() == again.tobytes()


def test_the_readme_shows_the_sample_and_it_is_small() -> None:
    assert "docs/figures/gallery.png" in (sample.PATH.parents[2] / "README.md").read_text()
    assert sample.PATH.read_bytes().startswith(b"\x89PNG")
    assert sample.PATH.stat().st_size < 400_000
