from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROLL = Path(__file__).parents[2] / "deploy" / "roll"
# Two old containers; one more since `up`; none becomes healthy.
DOCKER = """\
case "$*" in
    "compose ps -q"*) echo old-1; echo old-2; [ ! -e "$STARTED" ] || echo new-1 ;;
    "compose up"*) touch "$STARTED" ;;
    inspect*) echo starting ;;
    stop*) echo "$*" >&2 ;;
esac
"""


@pytest.mark.parametrize(
    ("service", "said"),
    [("worker", "1 of 2 old ones were ended, the others work on"), ("api", "nothing old was ended")],
)
def test_a_roll_that_gives_up_says_how_much_of_the_old_is_left(tmp_path: Path, service: str, said: str) -> None:
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{DOCKER}")
    docker.chmod(0o755)
    given = {"STARTED": str(tmp_path / "started"), "COMPOSE": "docker compose", "BUILD": "no", "READY_S": "0"}
    environment = os.environ | given | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([ROLL, service], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert f"new-1 is not healthy after 0 s; {said}" in done.stderr
    assert done.stderr.count("stop ") == (1 if service == "worker" else 0)
