"""A client of the unseam service.

import unseam

with unseam.Client("http://localhost:8000") as client:
    client.restore("rainy.jpg", task="derain").save("clean.jpg")
"""

from __future__ import annotations

from unseam.asynchronous import AsyncClient
from unseam.client import Client
from unseam.errors import (
    ChangedFile,
    ClientError,
    InvalidAddress,
    InvalidKey,
    MisnamedFile,
    ProblemError,
    UnreachableError,
)
from unseam.exchange import Options
from unseam.job import Job, Result
from unseam.original import Source
from unseam.picture import Restored

__all__ = [
    "AsyncClient",
    "ChangedFile",
    "Client",
    "ClientError",
    "InvalidAddress",
    "InvalidKey",
    "Job",
    "MisnamedFile",
    "Options",
    "ProblemError",
    "Restored",
    "Result",
    "Source",
    "UnreachableError",
]
