"""Bring back lost jobs and delete expired results: run one, or several for safety; one leads."""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import signal
import socket
import threading

from service import settings
from service.settings import InvalidSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are no options: UNSEAM_REDIS_URL and UNSEAM_BLOBS say where."""


def run(args: argparse.Namespace) -> int:
    """Work until terminated."""
    logging.getLogger("service").setLevel(logging.INFO)
    chosen = settings.read()
    if chosen.redis_url is None:
        raise InvalidSettings("the janitor needs UNSEAM_REDIS_URL; without Redis, there is nothing to bring back")

    from service.jobs import blobs, connection
    from service.jobs.janitor import Janitor

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    redis = connection.connect(chosen.redis_url)
    connection.await_server(redis)
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    Janitor(redis, chosen, blobs.connect(chosen.blobs), name).run(stop)
    return 0
