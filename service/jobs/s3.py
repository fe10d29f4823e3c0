"""Blobs in an S3-compatible store. Credentials, region and endpoint come from the usual AWS_* variables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import obstore
from obstore.store import S3Store


class S3Blobs:
    """The objects under `s3://bucket/prefix`; the store itself makes every put atomic."""

    def __init__(self, address: str) -> None:
        # Plain HTTP is spoken only where AWS_ENDPOINT_URL says http://
        self._store = S3Store.from_url(address, client_options={"allow_http": True})

    def put(self, name: str, data: bytes) -> None:
        """See `Blobs.put`."""
        obstore.put(self._store, name, data)

    def put_file(self, name: str, path: Path) -> None:
        """See `Blobs.put_file`."""
        obstore.put(self._store, name, path)

    def get(self, name: str) -> bytes:
        """See `Blobs.get`."""
        return bytes(obstore.get(self._store, name).bytes())

    def fetch(self, name: str, path: Path) -> None:
        """See `Blobs.fetch`."""
        with path.open("xb") as file:
            for chunk in obstore.get(self._store, name):
                file.write(chunk)

    def delete(self, name: str) -> None:
        """See `Blobs.delete`."""
        obstore.delete(self._store, name)

    def names(self, prefix: str = "") -> Iterator[str]:
        """See `Blobs.names`."""
        for page in obstore.list(self._store, prefix or None):
            for entry in page:
                yield entry["path"]
