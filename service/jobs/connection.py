"""Redis by address: one server, or the master that Sentinels name. A Cluster is refused.

redis://[user:password@]host[:port][/db]    rediss:// with TLS    unix:///path
redis+sentinel://[user:password@]host[:port][,host[:port]...]/master-name[/db]
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import redis
import redis.asyncio
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import ExponentialBackoff
from redis.connection import DefaultParser
from redis.retry import Retry
from redis.sentinel import Sentinel

from service.errors import ServiceError

log = logging.getLogger(__name__)

SENTINEL: Final = "redis+sentinel"
SENTINEL_PORT: Final = 26379
TIMEOUT_S: Final = 5.0  # for one command; a worker's blocking commands wait less
CONNECTIONS: Final = 64  # of one API process, however many clients come at once


class NotWritable(redis.ResponseError):
    """Redis answers, but takes no writes: its disk is full, or too few replicas follow."""


# redis-py knows these two by their text alone; all its parsers share one table.
DefaultParser.EXCEPTION_CLASSES.update(MISCONF=NotWritable, NOREPLICAS=NotWritable)

UNREACHABLE: Final = (  # away, or for a while without room or leave to write
    redis.ConnectionError,
    redis.TimeoutError,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.ExecAbortError,  # one of these, at the end of a transaction; a faulty command keeps its own error
    redis.exceptions.MasterDownError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    NotWritable,
    OSError,
)


class InvalidAddress(ServiceError, ValueError):  # noqa: N818 - named for what it is, as service.errors
    """An address that names no Redis this service can use."""


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to whichever server is the master, waited for."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the idle connections; with those in use, also the ones to the sentinels."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()


@dataclass(frozen=True)
class _Sentinels:
    hosts: list[tuple[str, int]]
    service: str
    options: dict[str, Any]


def connect(address: str) -> redis.Redis:
    """A blocking client, for any number of threads; nothing is sent yet. Raises InvalidAddress."""
    options = _options(Retry(ExponentialBackoff(cap=0.5, base=0.05), 2))
    if sentinels := _sentinels(address):
        named: Any = Sentinel(sentinels.hosts, socket_timeout=TIMEOUT_S)  # type: ignore[no-untyped-call]
        client: redis.Redis = named.master_for(sentinels.service, **options, **sentinels.options)
        return client
    try:
        return redis.Redis.from_url(address, **options)
    except ValueError as error:
        raise _invalid(error) from None


def connect_async(address: str) -> redis.asyncio.Redis:
    """A client for one event loop, whose commands wait for a free connection; nothing is sent yet.

    Raises InvalidAddress.
    """
    options = _options(AsyncRetry(ExponentialBackoff(cap=0.5, base=0.05), 2))
    options |= {"max_connections": CONNECTIONS, "timeout": TIMEOUT_S}
    if sentinels := _sentinels(address):
        named: Any = AsyncSentinel(sentinels.hosts, socket_timeout=TIMEOUT_S)  # type: ignore[no-untyped-call]
        client: redis.asyncio.Redis = named.master_for(
            sentinels.service, connection_pool_class=_SentinelPool, **options, **sentinels.options
        )
        return client
    try:
        return redis.asyncio.Redis.from_pool(BlockingConnectionPool.from_url(address, **options))
    except ValueError as error:
        raise _invalid(error) from None


def await_server(client: redis.Redis) -> None:
    """Wait until Redis answers. Raises InvalidAddress for a Cluster."""
    while True:
        try:
            refuse_cluster(client)
        except UNREACHABLE as error:
            log.warning("Redis cannot be reached yet: %s", error)
            time.sleep(1)
        else:
            return


def refuse_cluster(client: redis.Redis) -> None:
    """Raise InvalidAddress if this is a node of a Redis Cluster: its scripts may not touch keys of several slots."""
    if client.info("cluster").get("cluster_enabled"):
        raise InvalidAddress(
            "UNSEAM_REDIS_URL leads to a Redis Cluster, which is not supported; use one server, or Sentinel "
            f"({SENTINEL}://host:port,host:port/master-name) for failover."
        )


def _options(retry: object) -> dict[str, Any]:
    return {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": 2.0, "socket_keepalive": True, "retry": retry}


def _sentinels(address: str) -> _Sentinels | None:
    parts = urlsplit(address)
    if parts.scheme != SENTINEL:
        return None
    credentials, _, hosts = parts.netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/")
    try:
        pairs = [host.rpartition(":") if ":" in host else (host, "", str(SENTINEL_PORT)) for host in hosts.split(",")]
        where = [(host, int(port)) for host, _, port in pairs]
        options: dict[str, Any] = {"db": int(db or 0)}
    except ValueError as error:
        raise _invalid(error) from None
    if not service or not all(host for host, _ in where):
        raise _invalid(f"{SENTINEL}://host:port,host:port/master-name[/db] needs hosts and the master's name")
    user, _, password = credentials.partition(":")
    if password:
        options |= {"username": unquote(user) or None, "password": unquote(password)}
    return _Sentinels(where, service, options)


def _invalid(reason: object) -> InvalidAddress:
    return InvalidAddress(f"UNSEAM_REDIS_URL is no address of a Redis: {reason}")
