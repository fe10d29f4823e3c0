"""`unseam bench http`: how long clients wait, and how many pictures a second they get, from a real server over HTTP.

At each level so many clients send a picture, wait for the answer and send the next (a closed loop). Unless an address
is given, the server is `unseam serve`, started for the purpose on a free port.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from PIL import Image

from benchmarks import scene
from benchmarks.served import BenchError, served

ANSWER_S: Final = 600


@dataclass(frozen=True)
class Level:
    """What so many clients at once saw.

    Attributes:
        clients: at once.
        seconds: from the first request to the last answer.
        latencies_s: of the requests that were answered with a picture, in the order of their ends.
        refused: answers that said "ask again later" (429, 503); the client did, after the time they named.
    """

    clients: int
    seconds: float
    latencies_s: list[float]
    refused: int

    @property
    def per_second(self) -> float:
        """Pictures per second."""
        return len(self.latencies_s) / self.seconds

    def percentile(self, percent: float) -> float:
        """Seconds within which so many percent of the requests were answered."""
        return float(np.percentile(self.latencies_s, percent))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--url", help="of a running server (default: start one)")
    parser.add_argument("--task", default="derain", help="what is asked for (default derain)")
    parser.add_argument("--model", help="the network (default: the task's)")
    parser.add_argument("--picture", type=Path, help="the file that is sent (default: a drawn scene of 256 x 256)")
    parser.add_argument("--clients", default="1,2,4,8", help="how many at once, level by level (default 1,2,4,8)")
    parser.add_argument("--requests", type=int, default=40, help="pictures at each level (default 40)")
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def run(args: argparse.Namespace) -> int:
    """Measure level after level; print a line for each."""
    levels = [int(clients) for clients in args.clients.split(",")]
    content = args.picture.read_bytes() if args.picture else drawn()
    query = {"task": args.task} | ({"model": args.model} if args.model else {})
    with contextlib.nullcontext(args.url) if args.url else served() as url, httpx.Client(base_url=url) as client:
        network = _first_answer(client, query, content)
        found = []
        for clients in levels:
            found.append(measure(url, query, content, clients, max(args.requests, clients)))
            print(line(found[-1]), file=sys.stderr if args.json else sys.stdout, flush=True)
    if args.json:
        with Image.open(io.BytesIO(content)) as image:
            sides = image.size
        facts = {"task": args.task, "network": network, "width": sides[0], "height": sides[1]}
        print(json.dumps(facts | {"levels": [_rounded(level) for level in found]}))
    return 0


def drawn() -> bytes:
    """A PNG of 256 x 256 that no network finds easy or hard."""
    buffer = io.BytesIO()
    Image.fromarray((scene.draw(256, 256) * 255).round().astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def measure(url: str, query: dict[str, str], content: bytes, clients: int, requests: int) -> Level:
    """Send `requests` pictures, `clients` at once. Raises BenchError for an answer that is no picture."""
    start = time.perf_counter()
    with httpx.Client(base_url=url, timeout=ANSWER_S) as client, ThreadPoolExecutor(clients) as pool:
        asked = list(pool.map(lambda _: _answered(client, query, content), range(requests)))
    seconds = time.perf_counter() - start
    return Level(clients, seconds, [latency for latency, _ in asked], sum(refused for _, refused in asked))


def line(level: Level) -> str:
    """A level in words: `4 clients: 3.1 a second, p50 1.28 s, p95 1.40 s, p99 1.52 s`."""
    waits = ", ".join(f"p{percent} {level.percentile(percent):.3f} s" for percent in (50, 95, 99))
    refused = f", {level.refused} told to ask again" if level.refused else ""
    return f"{level.clients:>3} clients: {level.per_second:.2f} pictures a second, {waits}{refused}"


def _first_answer(client: httpx.Client, query: dict[str, str], content: bytes) -> str:
    """The network that answers; the first request is not counted."""
    answer = _sent(client, query, content)
    if answer.status_code != 200:
        raise BenchError(f"{client.base_url} answered {answer.status_code}: {answer.text[:300]}")
    return answer.headers["X-Model"].partition(";")[0]


def _answered(client: httpx.Client, query: dict[str, str], content: bytes) -> tuple[float, int]:
    """Seconds of one picture, waits for a full server included, and how often it was full."""
    start, refused = time.perf_counter(), 0
    while (answer := _sent(client, query, content)).status_code in (429, 503):
        refused += 1
        time.sleep(float(answer.headers["Retry-After"]))
    if answer.status_code != 200:
        raise BenchError(f"the server answered {answer.status_code}: {answer.text[:300]}")
    return time.perf_counter() - start, refused


def _sent(client: httpx.Client, query: dict[str, str], content: bytes) -> httpx.Response:
    return client.post("restore", params=query, content=content, headers={"Prefer": f"wait={ANSWER_S}"}, timeout=None)


def _rounded(level: Level) -> dict[str, Any]:
    return asdict(level) | {"latencies_s": [round(seconds, 4) for seconds in level.latencies_s]}
