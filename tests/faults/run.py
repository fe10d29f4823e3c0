"""`make faults`: the service as real processes, and what happens to it. Prints one line for each kind of fault.

Asks, after each: has every accepted job ended exactly once, with the bytes it has without faults? At the end: is no
blob and no key left behind? Exits with 1 where the answer is no.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import onnx_inverter
from house import FAKETIME, House
from load import Account, Clients, Watch, pictures, poison

LEFT_BEHIND_S = 120
LASTING = ("unseam:served", "unseam:pace", "unseam:workers", "unseam:janitor", "rq:")  # who was there lately

Fault = Callable[["House", "Watch"], None]


def kill_workers(house: House, watch: Watch) -> None:
    for worker in (0, 1, 0):
        time.sleep(random.uniform(2, 5))
        watch.worker_killed()
        house.workers[worker].kill()
        time.sleep(8)


def kill_apis(house: House, watch: Watch) -> None:
    for api in (0, 1, 0, 1):
        time.sleep(random.uniform(0.5, 2))
        house.apis[api].kill()


def kill_janitors_and_a_worker(house: House, watch: Watch) -> None:
    time.sleep(random.uniform(1, 3))
    for janitor in house.janitors:
        janitor.kill()
    house.workers[1].kill()


def restart_redis(house: House, watch: Watch) -> None:
    for away_s in (0.5, 4):
        time.sleep(random.uniform(1, 3))
        house.redis.kill()
        time.sleep(away_s)
        house.redis.start()


def pause_redis(house: House, watch: Watch, seconds: float = 8) -> None:
    time.sleep(random.uniform(1, 3))
    house.redis.pause()
    time.sleep(seconds)
    house.redis.resume()


def forbid_writes(house: House, watch: Watch) -> None:
    """As a master does that lost its replicas."""
    time.sleep(random.uniform(1, 3))
    house.redis.client.config_set("min-replicas-to-write", 1)
    time.sleep(8)
    house.redis.client.config_set("min-replicas-to-write", 0)


def fill_the_disk(house: House, watch: Watch) -> None:
    time.sleep(1)
    ballast = house.blobs / "ballast"
    with ballast.open("wb") as file:
        try:
            while file.write(b"\0" * 65536):
                file.flush()
        except OSError:
            pass
    time.sleep(5)
    ballast.unlink()


def set_clocks(house: House, watch: Watch) -> None:
    for name, offset in (("worker", "+3600"), ("janitor", "-3600"), ("worker", "-3600"), ("janitor", "+3600")):
        time.sleep(2)
        house.set_clock(name, offset)
    watch.worker_killed()
    house.workers[0].kill()  # the janitors' clocks are two hours ahead of its own
    time.sleep(4)
    for name in ("worker", "janitor"):
        house.set_clock(name, "+0")


def nothing(house: House, watch: Watch) -> None:
    """The reference."""


SCENARIOS: dict[str, tuple[Fault, int]] = {
    "no fault": (nothing, 20),
    "SIGKILL of workers": (kill_workers, 60),
    "SIGKILL of APIs": (kill_apis, 40),
    "SIGKILL of janitors and a worker": (kill_janitors_and_a_worker, 40),
    "Redis killed and restarted": (restart_redis, 40),
    "Redis paused": (pause_redis, 40),
    "Redis takes no writes": (forbid_writes, 40),
    "disk full": (fill_the_disk, 40),
    "clocks set": (set_clocks, 40),
    "poison picture": (nothing, 30),
}
ENDS = {"disk full": {"succeeded", "storage-full"}, "poison picture": {"succeeded", "quarantined"}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=SCENARIOS, action="append", help="one kind of fault; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    random.seed(args.seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave no process and no mount behind
    with tempfile.TemporaryDirectory(prefix="unseam-faults-") as name:
        folder = Path(name)
        blobs = folder / "blobs"
        blobs.mkdir()
        small = os.geteuid() == 0 and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=24m", "unseam-faults", str(blobs)], check=False
        ).returncode  # fmt: skip
        house = None
        try:
            house = House(folder, onnx_inverter.write(folder / "artifacts"), blobs)
            return run(house, args.only or list(SCENARIOS), can_fill=small)
        finally:
            if house:
                house.stop()
                house.redis.stop()
            if small:
                subprocess.run(["umount", "--lazy", str(blobs)], check=False)


def run(house: House, names: list[str], *, can_fill: bool) -> int:
    house.wait_until_ready()
    expected: dict[str, str] = {}
    bad = 0
    recoveries: list[float] = []
    print(f"{'fault':34}{'accepted':>9}{'ended':>7}{'lost':>6}{'duplicated':>12}{'wrong':>7}{'seconds':>9}  ends")
    for name in names if "no fault" in names else ["no fault", *names]:
        if (name == "disk full" and not can_fill) or (name == "clocks set" and not FAKETIME.exists()):
            print(f"{name:34}skipped: needs {'root' if name == 'disk full' else 'faketime'}")
            continue
        start, (fault, count) = time.monotonic(), SCENARIOS[name]
        account = Account()
        contents = pictures(count) + ([poison()] if name == "poison picture" else [])
        random.shuffle(contents)
        watch, clients = Watch(house, account), Clients(house, account, contents, expected)
        clients.start()
        fault(house, watch)
        clients.join()
        time.sleep(0.3)
        watch.stop()
        recoveries += account.recoveries
        ends = Counter(account.ends.values())
        strange = set(ends) - ENDS.get(name, {"succeeded"})
        unanswered = len(contents) - len(account.accepted)
        bad += bool(account.lost or account.duplicated or account.wrong or strange or unanswered)
        if name == "poison picture":
            bad += ends["quarantined"] != 1
        print(
            f"{name:34}{len(account.accepted):9}{len(account.ends):7}{account.lost:6}{account.duplicated:12}"
            f"{len(account.wrong):7}{time.monotonic() - start:9.1f}  {dict(ends)}",
            flush=True,
        )
        for line in account.wrong[:5]:
            print("   ", line)
    if recoveries:
        print(f"time to recover after SIGKILL: median {statistics.median(recoveries):.1f} s, "
              f"worst {max(recoveries):.1f} s of {len(recoveries)} jobs")  # fmt: skip
    left = wait_for_nothing(house)
    print(f"left behind: {len(left)} blobs and keys", *left[:10])
    return 1 if bad or left else 0


def wait_for_nothing(house: House) -> list[str]:
    """What is left once results, records and orphans have had the time to go."""
    deadline = time.monotonic() + LEFT_BEHIND_S
    while True:
        keys = [key.decode() for key in house.redis.client.scan_iter()]
        left = [key for key in keys if not key.startswith(LASTING)]
        left += [key for key in keys if key.startswith(("rq:job:", "rq:wip:", "rq:queue:unseam"))]
        left += [str(path.relative_to(house.blobs)) for path in house.blobs.rglob("*") if path.is_file()]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
