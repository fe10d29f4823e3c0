"""Two pipelines over the same networks: one for large pictures, so that small ones never wait for their memory."""

from __future__ import annotations

import time
from typing import Final

from imaging.codec import Limits
from service.jobs.inference import Inference
from service.jobs.job import Order
from service.jobs.pipeline import Pipeline, Update, Work
from service.metrics import Metrics
from service.settings import Settings

SMALL: Final = "small"
LARGE: Final = "large"


def lane(order: Order, large_tile_units: float) -> str:
    """In which lane an order is done."""
    return LARGE if order.tile_units > large_tile_units else SMALL


class Lanes:
    """Pictures of more than `large_tile_units` go one at a time, the others `jobs_at_once`.

    Both lanes' tiles meet in the batches: see `service.jobs.batching`.
    """

    def __init__(
        self, settings: Settings, inference: Inference, update: Update, *, limits: Limits, metrics: Metrics
    ) -> None:
        def pipeline(at_once: int, codec_threads: int) -> Pipeline:
            return Pipeline(
                inference, update, limits=limits, at_once=at_once, codec_threads=codec_threads, metrics=metrics
            )

        self._large_tile_units = settings.large_tile_units
        self._lanes = {SMALL: pipeline(settings.jobs_at_once, settings.codec_threads), LARGE: pipeline(1, 1)}

    def start(self) -> None:
        """Start the threads."""
        for pipeline in self._lanes.values():
            pipeline.start()

    def lane_of(self, order: Order) -> str:
        """In which lane an order is done."""
        return lane(order, self._large_tile_units)

    def put(self, work: Work) -> None:
        """Append to the waiting work of its lane."""
        self._lanes[self.lane_of(work.order)].put(work)

    def stop(self, timeout_s: float) -> None:
        """See `Pipeline.stop`."""
        deadline = time.monotonic() + timeout_s
        for pipeline in self._lanes.values():
            pipeline.stop(max(0.0, deadline - time.monotonic()))
