from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis_bench import RedisBench, RedisServer


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(running_server: RedisServer) -> RedisServer:
    running_server.client.flushall()
    return running_server


@pytest.fixture
def bench(tmp_path: Path, server: RedisServer) -> RedisBench:
    return RedisBench(tmp_path, server)
