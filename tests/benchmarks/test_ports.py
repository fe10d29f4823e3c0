from __future__ import annotations

import socket

from benchmarks.ports import free_port


def test_a_port_can_be_listened_on_and_is_given_once() -> None:
    ports = [free_port() for _ in range(20)]
    assert len(set(ports)) == 20
    for port in ports:
        socket.create_server(("127.0.0.1", port)).close()


def test_ports_are_none_that_linux_gives_to_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as anything:
        assert free_port() < anything.getsockname()[1]
