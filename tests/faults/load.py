"""Clients that never give up, and an account of what became of each picture."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
import secrets
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import redis
from house import ROOT, House
from PIL import Image

DATA = Path(os.environ.get("UNSEAM_DATA", ROOT.parent / "shared" / "data"))
SIZES = [(120, 90), (200, 150), (300, 200), (64, 64), (520, 420)]  # the last is large: the workers share it
GIVE_UP_S = 300


def pictures(count: int) -> list[bytes]:
    """Crops of real pictures, where there are some, as PNG."""
    sources = sorted((DATA / "rain").rglob("*.png")) + sorted((DATA / "rain").rglob("*.jpg"))
    made = []
    for number in range(count):
        width, height = SIZES[number % len(SIZES)]
        if sources:
            image = Image.open(sources[number % len(sources)]).convert("RGB")
            image = image.crop((number, number, number + width, number + height))
        else:
            noise = np.random.default_rng(number).integers(0, 255, (height, width, 3), dtype=np.uint8)
            image = Image.fromarray(noise)
        made.append(_png(image))
    return made


def poison() -> bytes:
    return _png(Image.new("RGB", (100, 80), (77, 77, 77)))


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


@dataclass
class Account:
    """What became of the pictures of one scenario."""

    accepted: set[str] = field(default_factory=set)
    ends: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    refused: int = 0
    ended_at: defaultdict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    recoveries: list[float] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return len(self.accepted - self.ends.keys())

    @property
    def duplicated(self) -> int:
        return sum(len(moments) > 1 for moments in self.ended_at.values())


class Clients:
    """Threads that send each picture until it is accepted, and ask for it until it has ended."""

    def __init__(self, house: House, account: Account, contents: list[bytes], expected: dict[str, str]) -> None:
        self._house, self._account, self._expected = house, account, expected
        self._todo = list(enumerate(contents))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(12)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        with httpx.Client(timeout=30) as client:
            while True:
                with self._lock:
                    if not self._todo:
                        return
                    _, content = self._todo.pop(0)
                self._restore(client, content)

    def _restore(self, client: httpx.Client, content: bytes) -> None:
        key, deadline = secrets.token_hex(8), time.monotonic() + GIVE_UP_S
        job = None
        while job is None and time.monotonic() < deadline:
            answer = self._ask(
                client, "POST", "/restore?task=derain", content=content,
                headers={"Idempotency-Key": key, "Prefer": "respond-async"},
            )  # fmt: skip
            if answer is not None and answer.status_code == 202:
                job = answer.json()["id"]
                self._account.accepted.add(job)
            elif answer is not None and answer.status_code in (429, 503):
                self._account.refused += 1
                time.sleep(min(1.0, float(answer.headers["retry-after"])))
            elif answer is not None and answer.status_code >= 400:
                self._account.wrong.append(f"refused with {answer.status_code}: {answer.text[:200]}")
                return
        while job is not None and time.monotonic() < deadline:
            answer = self._ask(client, "GET", f"/jobs/{job}")
            if answer is not None and answer.status_code == 404:
                self._account.wrong.append(f"{job} is not known")
                return
            if answer is not None and answer.status_code == 200:
                view = answer.json()
                if view["state"] in ("succeeded", "failed", "cancelled"):
                    self._end(client, job, view, content)
                    return
            time.sleep(0.1)

    def _end(self, client: httpx.Client, job: str, view: dict[str, object], content: bytes) -> None:
        if view["state"] == "succeeded":
            while (answer := self._ask(client, "GET", f"/jobs/{job}/result")) is None or answer.status_code == 503:
                time.sleep(0.2)
            digest = hashlib.sha256(answer.content).hexdigest()
            if digest != self._expected.setdefault(hashlib.sha256(content).hexdigest(), digest):
                self._account.wrong.append(f"{job} has other bytes ({answer.status_code})")
            while (answer := self._ask(client, "DELETE", f"/jobs/{job}")) is None or answer.status_code == 503:
                time.sleep(0.2)
            self._account.ends[job] = "succeeded"
        else:
            error = view["error"]
            assert isinstance(error, dict)
            self._account.ends[job] = str(error["type"]).rpartition(":")[2]

    def _ask(self, client: httpx.Client, method: str, path: str, **options: object) -> httpx.Response | None:
        try:
            return client.request(method, self._house.url() + path, **options)  # type: ignore[arg-type]
        except httpx.TransportError:
            time.sleep(random.uniform(0.05, 0.3))
            return None


class Watch:
    """Sees every end, and how soon jobs of a killed worker are begun again."""

    def __init__(self, house: House, account: Account) -> None:
        self._client = redis.Redis(port=house.redis.port, socket_timeout=5)
        self._account = account
        self._over = threading.Event()
        self._hit: dict[str, tuple[int, float]] = {}  # attempt and when its worker was killed
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def worker_killed(self) -> None:
        running = self._records(b"running")
        now = time.monotonic()
        self._hit |= {job: (int(record[b"attempt"]), now) for job, record in running.items()}

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self._client.close()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            with contextlib.suppress(redis.RedisError, OSError):
                self._note()

    def _note(self) -> None:
        for job in list(self._account.accepted):
            record = self._client.hmget(f"unseam:job:{job}", "ended_at", "attempt", "state")
            ended_at, attempt, state = record
            if ended_at is not None:
                self._account.ended_at[job].add(ended_at)
            if job in self._hit and attempt is not None:
                before, killed_at = self._hit[job]
                if int(attempt) > before:
                    self._account.recoveries.append(time.monotonic() - killed_at)
                if int(attempt) > before or state in (b"succeeded", b"failed"):
                    del self._hit[job]

    def _records(self, state: bytes) -> dict[str, dict[bytes, bytes]]:
        found = {}
        with contextlib.suppress(redis.RedisError, OSError):
            for job_id in self._client.zrange("unseam:unfinished", 0, -1):
                record = self._client.hgetall(f"unseam:job:{job_id.decode()}")
                if record.get(b"state") == state:
                    found[job_id.decode()] = record
        return found
