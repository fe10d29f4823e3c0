"""Time every degradation on one CPU core: `python -m benchmarks.degradations`."""

from __future__ import annotations

import statistics
import time

import torch

from training.degradations import DEGRADATIONS, create

BATCH, SIDE, RUNS = 8, 128, 20


def milliseconds(kind: str) -> list[float]:
    """Time `RUNS` batches of the degradation, warm: processor time, which busy neighbours do not lengthen much."""
    degrade, generator = create(kind), torch.Generator().manual_seed(0)
    clean = torch.rand((BATCH, 3, SIDE, SIDE), generator=generator)
    for _ in range(3):
        degrade(clean, generator)
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        degrade(clean, generator)
        times.append((time.process_time() - start) * 1e3)
    return times


def main() -> None:
    """Print a table of medians and the slowest run."""
    torch.set_num_threads(1)
    print(f"a batch of {BATCH} x {SIDE} x {SIDE} on one core of this CPU, milliseconds")
    print(f"{'degradation':<16}{'median':>8}{'slowest':>9}")
    for kind in DEGRADATIONS:
        times = milliseconds(kind)
        print(f"{kind:<16}{statistics.median(times):>8.1f}{max(times):>9.1f}")


if __name__ == "__main__":
    main()
