"""Do the jobs of a Redis queue on one device: start one worker for each GPU, and have them restarted when they end."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from typing import Any

from service import settings
from service.catalogue import Catalogue
from service.commands.serve import NothingToServe
from service.settings import InvalidSettings

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; each default is a setting (UNSEAM_DEVICE, UNSEAM_METRICS_PORT)."""
    parser.add_argument("--device", help="cpu, cuda or cuda:N (default: UNSEAM_DEVICE, else cpu)")
    parser.add_argument(
        "--metrics-port", type=int, help="port of the metrics (default: UNSEAM_METRICS_PORT, else 9108)"
    )


def run(args: argparse.Namespace, load: Callable[..., Any] | None = None) -> int:
    """Work until terminated, recycled, or stalled; what is begun by then is finished or given back.

    `load` opens networks in place of `export.runners.load`.
    """
    logging.getLogger("service").setLevel(logging.INFO)
    chosen = settings.read(device=args.device, metrics_port=args.metrics_port)
    if chosen.redis_url is None:
        raise InvalidSettings("a worker needs UNSEAM_REDIS_URL; without Redis, unseam serve does the work itself")
    catalogue = Catalogue.read(*chosen.artifacts, one_pass=chosen.one_pass)
    if not len(catalogue):
        folders = " or ".join(map(str, chosen.artifacts))
        raise NothingToServe(f"there are no networks in {folders}; make them with: unseam export --missing")

    from prometheus_client import start_http_server

    from export import runners
    from imaging.codec import Limits
    from service.engine import Options
    from service.jobs import blobs, connection
    from service.jobs.inference import Inference
    from service.jobs.pace import Pace
    from service.jobs.worker import RestorationWorker
    from service.metrics import Metrics

    metrics, pace = Metrics(), Pace()
    inference = Inference(
        catalogue,
        Options(chosen.backend, chosen.device, chosen.threads, chosen.batch),
        metrics=metrics,
        pace=pace,
        fixed_batch=chosen.fixed_batch,
        load=load or runners.load,
    )
    limits = Limits(max_bytes=chosen.max_body_bytes, max_pixels=chosen.max_pixels, max_side=chosen.max_side)
    redis = connection.connect(chosen.redis_url)
    connection.await_server(redis)
    server, _ = start_http_server(chosen.metrics_port, registry=metrics.registry)
    log.info("metrics on port %d", server.server_port)
    RestorationWorker(
        redis, chosen, inference, blobs.connect(chosen.blobs), limits=limits, metrics=metrics, pace=pace
    ).run()
    return 0
