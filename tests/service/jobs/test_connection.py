from __future__ import annotations

import pytest

from service.jobs import connection


def test_sentinels_are_named_with_their_master() -> None:
    client = connection.connect("redis+sentinel://me:secret@one:26380,two/mymaster/3")
    pool = client.connection_pool
    assert pool.service_name == "mymaster"
    hosts = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(host["host"], host["port"]) for host in hosts] == [("one", 26380), ("two", 26379)]
    assert (pool.connection_kwargs["db"], pool.connection_kwargs["password"]) == (3, "secret")


@pytest.mark.parametrize(
    "address",
    ["http://somewhere", "redis+sentinel://one:x/mymaster", "redis+sentinel://one:26379", "redis+sentinel:///m"],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(connection.InvalidAddress, match="UNSEAM_REDIS_URL"):
        connection.connect(address)
