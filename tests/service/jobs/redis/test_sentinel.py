from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import redis
from redis_bench import RedisBench, RedisServer
from service_bench import inverted, pixels, png, wait_for, wait_for_state

from benchmarks.ports import free_port
from service.jobs import records

RESTORE = "/restore?task=derain"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer]]:
    """A master, which is found by asking a real Sentinel, and its replica."""
    master = RedisServer(tmp_path / "master")
    replica = RedisServer(tmp_path / "replica", "--replicaof", "127.0.0.1", str(master.port))
    for server in (master, replica):
        server.start()
    wait_for(lambda: replica.client.info("replication")["master_link_status"] == "up")
    port, configuration = free_port(), tmp_path / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor unseam 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds unseam 500\nsentinel failover-timeout unseam 3000\n"
    )
    sentinel = subprocess.Popen(["redis-server", configuration, "--sentinel"], stdout=subprocess.DEVNULL)
    asked = redis.Redis(port=port)

    def sees_the_replica() -> bool:
        try:
            return bool(asked.execute_command("SENTINEL REPLICAS", "unseam"))
        except redis.RedisError:
            return False

    wait_for(sees_the_replica)
    master.url = f"redis+sentinel://127.0.0.1:{port}/unseam"
    yield master, replica
    asked.close()
    sentinel.kill()
    sentinel.wait()
    for server in (master, replica):
        server.stop()


def test_work_goes_on_with_the_replica_when_the_master_dies(
    pair: tuple[RedisServer, RedisServer], tmp_path: Path
) -> None:
    master, replica = pair
    content, bench = png(200, 150), RedisBench(tmp_path / "bench", master)
    with bench.client() as client, bench.worker(), bench.janitor():
        bench.runner.go.clear()
        job = client.post(RESTORE, content=content, headers={"Prefer": "respond-async"}).json()["id"]
        wait_for_state(client, job, "running")
        wait_for(lambda: replica.client.hget(records.record(job), "state") == b"running")
        master.kill()
        bench.runner.go.set()
        wait_for(lambda: client.get(f"/jobs/{job}").json().get("state") == "succeeded")
        np.testing.assert_array_equal(pixels(client.get(f"/jobs/{job}/result").content), inverted(content))
        wait_for(lambda: client.post(RESTORE, content=content).status_code == 200)
