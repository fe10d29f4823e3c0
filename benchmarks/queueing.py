"""Work that queues for one resource after the other, simulated event by event."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Visit:
    """A picture's need of one resource: `seconds` of one server, in up to `shares` equal parts side by side."""

    resource: str
    seconds: float
    shares: int = 1


@dataclass(frozen=True)
class Outcome:
    """What a simulated load got.

    Attributes:
        megapixels_per_second: restored.
        p50_s: from arrival to the end.
        p95_s: likewise.
        busy: share of its servers' time in which each resource worked.
    """

    megapixels_per_second: float
    p50_s: float
    p95_s: float
    busy: Mapping[str, float]


def simulate(
    arrivals: Sequence[float], visits: Sequence[Sequence[Visit]], servers: Mapping[str, int], megapixels: float = 0
) -> Outcome:
    """Send pictures through their visits, in order, each resource serving first come, first served.

    Args:
        arrivals: of each picture, seconds, rising.
        visits: of each picture.
        servers: of each resource.
        megapixels: of all pictures together.
    """
    free = {name: [0.0] * count for name, count in servers.items()}
    worked = dict.fromkeys(servers, 0.0)
    ended = [0.0] * len(arrivals)
    events = [(time, picture, 0) for picture, time in enumerate(arrivals)]
    while events:
        now, picture, step = heapq.heappop(events)
        if step == len(visits[picture]):
            ended[picture] = now
            continue
        visit = visits[picture][step]
        end = now
        for _ in range(visit.shares):
            begin = max(now, heapq.heappop(free[visit.resource]))
            finish = begin + visit.seconds / visit.shares
            heapq.heappush(free[visit.resource], finish)
            end = max(end, finish)
        worked[visit.resource] += visit.seconds
        heapq.heappush(events, (end, picture, step + 1))
    took = sorted(end - start for start, end in zip(arrivals, ended, strict=True))
    duration = max(ended) - arrivals[0]
    busy = {name: worked[name] / (servers[name] * duration) for name in servers}
    return Outcome(megapixels / duration, took[len(took) // 2], took[math.ceil(0.95 * len(took)) - 1], busy)


def poisson(count: int, rate: float, seed: int) -> list[float]:
    """Moments at which `count` clients come who do not know of one another, `rate` a second on average."""
    draw, now = random.Random(seed + 1), 0.0
    moments = []
    for _ in range(count):
        now += draw.expovariate(rate)
        moments.append(now)
    return moments
