from __future__ import annotations

from service.metrics import Metrics

# The contract with dashboards and alerts: name and labels.
CONTRACT = {
    "unseam_http_requests": ("task", "code"),
    "unseam_http_request_duration_seconds": ("task",),
    "unseam_jobs": ("task", "outcome"),
    "unseam_job_duration_seconds": ("task",),
    "unseam_stage_duration_seconds": ("task", "stage"),
    "unseam_tiles": ("task", "backend"),
    "unseam_tile_units": ("task", "backend"),
    "unseam_batch_size": (),
    "unseam_megapixels": ("task",),
    "unseam_queue_jobs": (),
    "unseam_queue_tile_units": (),
    "unseam_queue_oldest_seconds": (),
    "unseam_tile_leases": ("state",),
    "unseam_tile_redeliveries": (),
    "unseam_rejected": ("reason",),
    "unseam_oom_retries": (),
    "unseam_model_info": ("model", "backend", "precision", "version"),
    "unseam_worker_last_progress_timestamp_seconds": (),
}


def test_the_metrics_are_those_that_dashboards_and_alerts_rely_on() -> None:
    declared = {
        metric._name: tuple(metric._labelnames) for metric in vars(Metrics()).values() if hasattr(metric, "_labelnames")
    }
    assert declared == CONTRACT


def test_two_services_in_one_process_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.queue_jobs.set(3)
    assert second.registry.get_sample_value("unseam_queue_jobs") == 0
