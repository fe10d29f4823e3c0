"""Every metric of the service, declared once. Base units, few labels, never a job's id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

STAGE_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600)
JOB_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600, 1800)
BATCH_TILES: Final = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The metrics of one process, in a registry of their own.

    `task` is a served task, or `none` for requests that are about no task. Stages are queue, decode, infer, assemble
    and encode.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)

        self.http_requests = Counter(
            "unseam_http_requests", "HTTP requests answered.", ["task", "code"], registry=registry
        )
        self.http_request_duration = Histogram(
            "unseam_http_request_duration_seconds",
            "From a request's arrival to the end of its answer.",
            ["task"],
            buckets=JOB_SECONDS,
            registry=registry,
        )
        self.jobs = Counter("unseam_jobs", "Jobs ended, by outcome.", ["task", "outcome"], registry=registry)
        self.job_duration = Histogram(
            "unseam_job_duration_seconds",
            "From a job's acceptance to its end.",
            ["task"],
            buckets=JOB_SECONDS,
            registry=registry,
        )
        self.stage_duration = Histogram(
            "unseam_stage_duration_seconds",
            "Time in one stage of a job.",
            ["task", "stage"],
            buckets=STAGE_SECONDS,
            registry=registry,
        )
        self.tiles = Counter("unseam_tiles", "Tiles run through a network.", ["task", "backend"], registry=registry)
        self.tile_units = Counter(
            "unseam_tile_units",
            "Work done, in tile units (256 x 256 pixels through a network).",
            ["task", "backend"],
            registry=registry,
        )
        self.batch_size = Histogram(
            "unseam_batch_size", "Tiles in one call of a network.", buckets=BATCH_TILES, registry=registry
        )
        self.megapixels = Counter(
            "unseam_megapixels", "Megapixels of input pictures restored.", ["task"], registry=registry
        )
        self.queue_jobs = Gauge("unseam_queue_jobs", "Jobs that are queued or running.", registry=registry)
        self.queue_tile_units = Gauge(
            "unseam_queue_tile_units",
            "Work not done yet, in tile units (256 x 256 pixels through a network).",
            registry=registry,
        )
        self.queue_oldest = Gauge(
            "unseam_queue_oldest_seconds", "Age of the oldest job that is not finished.", registry=registry
        )
        self.tile_leases = Gauge("unseam_tile_leases", "Tile leases, by state.", ["state"], registry=registry)
        self.tile_redeliveries = Counter(
            "unseam_tile_redeliveries", "Tiles given out again after a worker lost them.", registry=registry
        )
        self.rejected = Counter("unseam_rejected", "Requests refused, by reason.", ["reason"], registry=registry)
        self.oom_retries = Counter("unseam_oom_retries", "Batches halved because memory ran out.", registry=registry)
        self.model_info = Gauge(
            "unseam_model_info",
            "1 for every network that is loaded.",
            ["model", "backend", "precision", "version"],
            registry=registry,
        )
        self.worker_last_progress = Gauge(
            "unseam_worker_last_progress_timestamp_seconds",
            "When the inference thread last finished a batch, Unix time.",
            registry=registry,
        )

    def job_ended(self, task: str, outcome: str, duration_s: float, stages: Mapping[str, float]) -> None:
        """Count a job, from its acceptance to its end."""
        self.jobs.labels(task, outcome).inc()
        self.job_duration.labels(task).observe(duration_s)
        for stage, seconds in stages.items():
            self.stage_duration.labels(task, stage).observe(seconds)
