from __future__ import annotations

import socket
from pathlib import Path

from benchmarks.ports import free_port


def test_a_port_can_be_listened_on_and_is_given_once() -> None:
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_linux_gives_connections_neither_a_port_nor_its_cluster_bus() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    for port in (free_port() for _ in range(20)):
        assert {port, port + 10_000}.isdisjoint(range(first, last + 1))
