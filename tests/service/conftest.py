from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from service_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def client(bench: Bench) -> Iterator[httpx.Client]:
    with bench.client() as client:
        yield client
    assert [path.name for path in bench.folder.iterdir()] == [], "the service left files behind"


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One service for several tests, for those that leave it as it was."""
    with Bench(tmp_path_factory.mktemp("service")).client() as client:
        yield client
