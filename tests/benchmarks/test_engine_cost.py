from __future__ import annotations

from benchmarks.engine_cost import Cost


def test_of_several_rounds_the_best_time_and_the_most_memory_count() -> None:
    assert Cost(3, 5, 100).best(Cost(2, 6, 90)) == Cost(2, 5, 100)
    assert Cost(3, 5, 100, 20).best(Cost(2, 6, 90, 30)) == Cost(2, 5, 100, 30)
