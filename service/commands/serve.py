"""Answer HTTP requests, with the job queue inside the process or, with UNSEAM_REDIS_URL, in Redis."""

from __future__ import annotations

import argparse
import logging

from service import settings
from service.catalogue import Catalogue
from service.errors import ServiceError

log = logging.getLogger(__name__)


class NothingToServe(ServiceError, ValueError):  # noqa: N818 - named for what it is, as service.errors
    """No folder of artifacts has any."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; each default is a setting (UNSEAM_HOST, UNSEAM_PORT)."""
    parser.add_argument("--host", help="address to listen on (default: UNSEAM_HOST, else 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default: UNSEAM_PORT, else 8000)")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted or terminated."""
    for name in ("service", "uvicorn"):
        logging.getLogger(name).setLevel(logging.INFO)
    chosen = settings.read(host=args.host, port=args.port)
    catalogue = Catalogue.read(*chosen.artifacts, one_pass=chosen.one_pass)
    if not len(catalogue):
        folders = " or ".join(map(str, chosen.artifacts))
        raise NothingToServe(f"there are no networks in {folders}; make them with: unseam export --missing")

    from service.api.app import create
    from service.api.server import Server

    log.info("serving %s on http://%s:%d", ", ".join(catalogue.tasks), chosen.host, chosen.port)
    at = {"host": chosen.host, "port": chosen.port, "root_path": chosen.root_path}
    server = Server(create(chosen, catalogue), drain_s=chosen.drain_s, **at)
    server.run()
    return 0 if server.started else 1
