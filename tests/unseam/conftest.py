from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_service import FakeService, faking

import unseam

Restore = Callable[..., unseam.Restored]


@pytest.fixture
def service() -> Iterator[FakeService]:
    with faking() as service:
        yield service


@pytest.fixture(params=["Client", "AsyncClient"])
def restore(request: pytest.FixtureRequest, service: FakeService) -> Restore:
    """Restores bytes with each client: `restore(content, client={...}, **options)`."""

    def waiting(content: bytes, client: dict[str, Any], **options: Any) -> unseam.Restored:
        with unseam.Client(service.url, **client) as made:
            return made.restore(content, task="derain", **options)

    async def awaited(content: bytes, client: dict[str, Any], **options: Any) -> unseam.Restored:
        async with unseam.AsyncClient(service.url, **client) as made:
            return await made.restore(content, task="derain", **options)

    def restore(content: bytes = b"picture", client: dict[str, Any] | None = None, **options: Any) -> unseam.Restored:
        if request.param == "Client":
            return waiting(content, client or {}, **options)
        return asyncio.run(awaited(content, client or {}, **options))

    return restore
