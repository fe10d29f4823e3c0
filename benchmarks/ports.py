"""Ports for the servers that benchmarks and tests start."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from typing import Final

_PORTS: Final = range(20_000, 22_000)
_given: set[int] = set()


def free_port() -> int:
    """A port of the loopback on which nobody listens; never the same one twice.

    It lies below those that Linux gives to connections and to whoever asks for any port (ip_local_port_range): one of
    these may be somebody else's by the time the server that it is for has started. The port 10,000 above it is free of
    these as well: there the nodes of a Redis Cluster speak to each other.

    Raises:
        OSError: there is none.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        if port not in _given:
            with suppress(OSError), socket.create_server(("127.0.0.1", port)):
                _given.add(port)
                return port
    raise OSError("every port is taken")
